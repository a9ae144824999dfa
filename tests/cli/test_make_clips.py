from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.main import main


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    labels = np.zeros((90, 120), np.uint8)
    cv2.circle(labels, (60, 45), 18, 1, -1)
    for part, values in (("images", np.where(labels[..., None] > 0, 200, 40).repeat(3, 2)), ("masks", labels)):
        (tmp_path / "photos" / part).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "photos" / part / "0.png"), values)
    return tmp_path / "photos"


def test_made_clips_pass_the_check(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = str(tmp_path / "clips")
    command = ["data", "make-clips", str(photos), "-o", out]
    assert main([*command, "--clips", "2", "--frames", "8", "--objects", "1", "--size", "64"]) == 0
    assert "wrote 2 clips" in capsys.readouterr().out
    assert main(["data", "check", out]) == 0
    assert "no faults in 2 videos" in capsys.readouterr().out


def test_the_data_set_is_not_written_into(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "make-clips", str(photos), "-o", str(photos / "clips")]) != 0
    assert "lies in the data set" in capsys.readouterr().err
