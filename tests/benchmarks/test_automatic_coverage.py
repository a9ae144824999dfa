"""The script that says which objects automatic masklets cover, on a made-up clip."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from masklet.inference.automatic_masklets import AutomaticMasklets
from masklet.masks.label_png import write_label_png
from masklet.masks.rle import encode
from masklet_scenes import DOUBLE, FRAMES, GROUND, SHORT, SQUARE, masks, write_masklets, write_pictures


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The clip, whose known objects are the square and the ground."""
    write_pictures(tmp_path / "data" / "clip" / "frames")
    (tmp_path / "data" / "clip" / "masks").mkdir()
    for t in range(FRAMES):
        labels = sum(k * masks(t)[i].astype(np.uint8) for k, i in ((1, SQUARE), (2, GROUND)))
        write_label_png(tmp_path / "data" / "clip" / "masks" / f"{t:05d}.png", np.asarray(labels, np.uint8))
    return tmp_path / "data"


@pytest.fixture
def found(script, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the masklets of the scene be found; the names of the videos in which they were."""
    asked: list[str] = []

    def find(video: Any, frames: int, generator: Any, out: Path) -> Any:
        asked.append(video.name)
        write_masklets(out, video.name)
        tracks: dict[int, dict] = {}
        for t in range(frames):
            for i, mask in masks(t).items():
                tracks.setdefault(i, {})[t] = encode(mask)
        scores = {i: {"0": {"iou": i / 10, "presence": 1.0, "stability": 0.9}} for i in tracks}
        return tracks, scores

    monkeypatch.setattr(script, "found_in", find)
    monkeypatch.setattr(script.masklet, "load", lambda *_, **__: argparse.Namespace())
    monkeypatch.setattr(script, "options_of", lambda *_: None)
    monkeypatch.setattr(script, "AutomaticMasklets", lambda *_: object.__new__(AutomaticMasklets))
    return asked


def test_a_video_is_done_once(script, data: Path, found: list[str], tmp_path: Path, capsys: pytest.CaptureFixture):
    command = ["--data", str(data), "-o", str(tmp_path / "out")]
    for _ in range(2):
        script.main(command)
    assert found == ["clip"]
    shown = capsys.readouterr().out
    assert "covered at 0.75: 1.000 of 2 objects" in shown
    assert "masklets on objects, all, 3:" in shown
    assert "visible half of the time, 3:" in shown
    row = json.loads((tmp_path / "out" / "clip.json").read_text())
    assert {i: one["masklet"] for i, one in row["objects"].items()} == {"1": SQUARE, "2": GROUND}
    assert row["masklets"][str(DOUBLE)]["true_iou"] == pytest.approx(24 / 26)
    assert row["masklets"][str(SHORT)]["true_iou"] == 0
    assert cv2.imread(str(tmp_path / "out" / "clip.png")) is not None
    with pytest.raises(SystemExit, match="other settings"):
        script.main([*command, "--least-iou", "0.7"])


def test_ranks(script):
    assert script.ranked([0.3, 0.1, 0.3, 0.2]).tolist() == [3.5, 1, 3.5, 2]
