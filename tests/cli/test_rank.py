from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.main import main
from masklet_scenes import DOUBLE, GROUND, SHORT, SQUARE, content, write_masklets, write_pictures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "auto").mkdir()
    write_masklets(tmp_path / "auto")
    return tmp_path / "auto"


def ids(out: Path, video: int = 0) -> list[int]:
    return [one["id"] for one in content(out / "ranking.json")["videos"][video]["masklets"]]


def test_pictures_beside_the_files(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    write_pictures(root / "clip")
    out = tmp_path / "out"
    assert main(["data", "rank", str(root), "-o", str(out), "--keep", "0.8"]) == 0
    assert ids(out) == [SQUARE, SHORT, GROUND, DOUBLE]
    shown = capsys.readouterr().out
    assert "masklets: 4\nduplicates: 1\nbackground: 1\n" in shown
    assert content(out / "ranking.json")["summary"]["with pictures"] == 1
    assert cv2.imread(str(out / "clip.jpg")) is not None
    assert content(out / "clip_auto.json")["masklet_id"] == [SQUARE]  # the short one scores less


def test_videos_elsewhere_and_without_sheets(root: Path, tmp_path: Path):
    write_pictures(tmp_path / "videos" / "clip" / "frames")
    out = tmp_path / "out"
    command = ["data", "rank", str(root / "clip_auto.json"), "-o", str(out), "--no-sheets"]
    assert main([*command, "--videos", str(tmp_path / "videos")]) == 0
    assert [path.name for path in out.iterdir()] == ["ranking.json"]
    assert content(out / "ranking.json")["videos"][0]["masklets"][2]["background"] is True
    assert main(command) == 0
    assert {one["background"] for one in content(out / "ranking.json")["videos"][0]["masklets"]} == {None}


def test_faults_do_not_stop_the_others(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (root / "a_auto.json").write_text("{}")
    (root / "small").mkdir()
    cv2.imwrite(str(root / "small" / "0.png"), np.zeros((9, 9, 3), np.uint8))
    write_masklets(root, "small")
    assert main(["data", "rank", str(root), "-o", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().out
    assert "a_auto.json" in shown
    assert "1 frames of 9x9 pixels" in shown
    said = content(tmp_path / "out" / "ranking.json")
    assert [one["name"] for one in said["videos"]] == ["clip"]
    assert len(said["faults"]) == 2


def test_mistakes(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["data", "rank", str(root), "-o", str(root / "out")]) == 2
    assert "lies in the data set" in capsys.readouterr().err
    (root / "other").mkdir()
    write_masklets(root / "other")
    assert main(["data", "rank", str(root), "-o", str(tmp_path / "out")]) == 2
    assert "have one name" in capsys.readouterr().err
    assert main(["data", "rank", str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 2


def test_a_file_without_masklets(root: Path, tmp_path: Path):
    whole = content(root / "clip_auto.json")
    empty = {**whole, "masklet": [[] for _ in whole["masklet"]], "masklet_id": [], "masklet_stability_score": [[]] * 3}
    (root / "clip_auto.json").write_text(json.dumps(empty))
    write_pictures(root / "clip")
    assert main(["data", "rank", str(root), "-o", str(tmp_path / "out"), "--keep", "0"]) == 0
    assert ids(tmp_path / "out") == []
