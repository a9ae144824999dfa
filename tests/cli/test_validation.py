from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.validation import make_scorer
from masklet.data.open import open_dataset
from masklet.evaluation.vos import evaluate_vos
from masklet.inference.adapters import SessionTracker
from masklet.model.sam2 import Sam2
from tiny_model import clip, disc


def put(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), values)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two videos of which only one in two frames is annotated."""
    for name, start in (("a", 0), ("b", 3)):
        for t in range(start, start + 5):
            put(tmp_path / name / "frames" / f"{t}.png", clip(t + 1)[t][..., ::-1])
            if (t - start) % 2 == 0:
                put(tmp_path / name / "masks" / f"{t}.png", disc(t).astype(np.uint8))
    return tmp_path


def test_videos_are_tracked_from_masks_and_clicks(root: Path, tiny: Sam2):
    scores = make_scorer(str(root))(tiny)
    for prompt, clicks, name in (("mask", 1, ""), ("click", 1, " 1 click"), ("click", 3, " 3 clicks")):
        one = evaluate_vos(SessionTracker(tiny), open_dataset(root), prompt, clicks=clicks)
        assert (scores.pop(f"J{name}"), scores.pop(f"F{name}")) == (one.j, one.f)
    assert list(scores) == ["IoU 1 click", "IoU 3 clicks"]
    first = make_scorer(str(root), 1)(tiny)
    assert first["J"] == evaluate_vos(SessionTracker(tiny), [open_dataset(root)[0]]).j


def test_tracking_from_clicks_may_be_left_out(root: Path, tiny: Sam2):
    scores = make_scorer(str(root), tracked_clicks=())(tiny)
    assert list(scores) == ["J", "F", "IoU 1 click", "IoU 3 clicks"]


def test_a_scorer_can_be_sent_to_other_processes(root: Path, tiny: Sam2):
    scorer = make_scorer(str(root), 1, ())
    assert pickle.loads(pickle.dumps(scorer))(tiny) == scorer(tiny)


def test_images_have_no_time(root: Path, tiny: Sam2):
    for t in range(2):
        put(root / "stills" / "images" / f"{t}.png", clip(t + 1)[t][..., ::-1])
    (root / "stills" / "masks").mkdir()
    with pytest.raises(ValueError, match="have no mask"):
        make_scorer(str(root / "stills"))
    put(root / "stills" / "masks" / "1.png", disc(1).astype(np.uint8))
    assert list(make_scorer(str(root / "stills"))(tiny)) == ["IoU 1 click", "IoU 3 clicks", "IoU box"]


def test_damaged_masks_show_before_anything_is_scored(root: Path):
    put(root / "b" / "masks" / "5.png", np.ones((9, 9), np.uint8))
    with pytest.raises(ValueError, match="9x9 pixels"):
        make_scorer(str(root))
    assert make_scorer(str(root), 1) is not None
