"""The script that compares ways to find masks, on a small model."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tiny_model import SMALL_NANO, clip, tiny_model


@pytest.fixture
def image(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "image.png"), np.ascontiguousarray(clip(1)[0][..., ::-1]))
    return tmp_path / "image.png"


def test_both_clocks_are_read(script, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(script, "our_model", lambda *_: tiny_model(SMALL_NANO))
    script.worker(Namespace(image=[image], thresholds="{}", only="full", model="nano", image_size=None, grid=2))
    found = json.loads(capsys.readouterr().out)
    assert found["wall"] > 0
    assert found["seconds"] > 0


def test_a_row_for_each_image_and_way(
    script, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    seconds = {"full": (4.0, 2.5), "adaptive": (2.0, 1.25)}

    def turn(_: Namespace, image: Path, way: str, thresholds: dict[str, float]) -> dict[str, object]:
        used, wall = seconds[way]
        return {"seconds": used, "wall": wall, "peak": 100.0, "masks": []}

    monkeypatch.setattr(script, "turn", turn)
    threads = str(torch.get_num_threads())
    monkeypatch.setattr(sys, "argv", ["", "--model", "nano", "--threads", threads, "--image", str(image), str(image)])
    script.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("full", "adaptive"))]
    assert len(rows) == 4
    assert rows[1].startswith("adaptive: 2.00 s, 1.25 s by the clock, times full 0.50 ")
