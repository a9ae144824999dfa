from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from masklet.cli.output import shown, write_results
from masklet.inference.results import FrameResult, ObjectResult
from masklet.masks.label_png import read_label_png
from masklet.video.frames import open_source
from tiny_model import clip

SIZE = (48, 72)


def result(t: int) -> FrameResult:
    """Object 1 above, object 2 surer and over the middle."""
    objects = {}
    for i, (rows, value) in enumerate(((slice(0, 30), 1.0), (slice(20, 40), 3.0)), start=1):
        logits = torch.full(SIZE, -2.0)
        logits[rows] = value
        objects[i] = ObjectResult(t, i, logits, 0.12345678, 4.5678, SIZE)
    return FrameResult(t, SIZE, objects)


def test_a_shared_pixel_goes_to_the_surer_object():
    masks = shown(result(0))
    assert masks[1].sum() == 20 * 72
    assert masks[2].sum() == 20 * 72
    assert not (masks[1] & masks[2]).any()


def test_scores_are_rounded_and_by_object(tmp_path: Path):
    with open_source(clip(2)) as source:
        frames = [r.frame for r in write_results(iter([result(0), result(1)]), source, tmp_path, ["png"], True)]
    assert frames == [0, 1]
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["2"]["1"] == {"iou": 0.1235, "presence": 4.568, "area": 20 * 72}


def test_frames_are_written_as_they_come(tmp_path: Path):
    with open_source(clip(3)) as source:
        walk = write_results((result(t) for t in range(3)), source, tmp_path, ["png"], True)
        next(walk)
        assert np.array_equal(np.unique(read_label_png(tmp_path / "masks" / "00000.png")), [0, 1, 2])
        assert not (tmp_path / "masks" / "00001.png").exists()
        walk.close()
    assert not (tmp_path / "scores.json").exists()


@pytest.mark.parametrize("how", ["error", "stopped"])
@pytest.mark.parametrize("rising", [True, False])
def test_an_interrupted_run_leaves_no_joint_file(tmp_path: Path, how: str, rising: bool):
    def results() -> Iterator[FrameResult]:
        yield result(0)
        yield result(1)
        if how == "error":
            raise OSError("gone")
        yield result(2)

    with open_source(clip(3)) as source:
        walk = write_results(results(), source, tmp_path, ["coco", "sa-v", "overlay", "png"], rising)
        next(walk)
        next(walk)
        if how == "error":
            with pytest.raises(OSError, match="gone"):
                next(walk)
        else:
            walk.close()
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["masks/00000.png", "masks/00001.png"]


def test_sa_v_needs_a_length(tmp_path: Path):
    with open_source(iter(clip(2))) as source, pytest.raises(ValueError, match="sa-v needs a source of known length"):
        list(write_results(iter([result(0)]), source, tmp_path, ["sa-v"], True))
