from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.main import main
from masklet.masks.label_png import write_label_png


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of one image and its label map."""
    for folder in ("images", "masks"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "set" / "images" / "a.jpg"), np.full((20, 30, 3), 90, np.uint8))
    labels = np.zeros((20, 30), np.uint8)
    labels[5:10, 5:15] = 1
    write_label_png(tmp_path / "set" / "masks" / "a.png", labels)
    return tmp_path / "set"


def test_check_finds_nothing(root, capsys):
    assert main(["data", "check", str(root)]) == 0
    assert capsys.readouterr().out == "no faults in 1 image (plain_folders)\n"


def test_check_prints_a_table(root, capsys):
    (root / "masks" / "a.png").write_bytes(b"x")
    cv2.imwrite(str(root / "images" / "b[1].jpg"), np.zeros((20, 30, 3), np.uint8))
    assert main(["data", "check", str(root)]) == 1
    title, first, second, _, summary = capsys.readouterr().out.splitlines()
    assert title.split() == ["name", "file", "fault"]
    assert first.startswith("a     masks/a.png")
    assert "is no PNG file" in first
    assert second.startswith("b[1]  images/b[1].jpg  there are no masks")
    assert summary == "2 faults"


def test_annotations_that_cannot_be_parsed_are_a_fault(root, capsys):
    (root / "instances.json").write_text("{")
    assert main(["data", "check", str(root)]) == 1
    assert "instances.json" in capsys.readouterr().out


def test_mistakes_are_no_faults(root, capsys):
    assert main(["data", "check", str(root / "other")]) == 2
    assert "no file or folder" in capsys.readouterr().err
    assert main(["data", "check", str(root), "--format", "kitti"]) == 2
    assert "sa_v" in capsys.readouterr().err


def test_stats(root, tmp_path, capsys):
    cv2.imwrite(str(root / "images" / "b.jpg"), np.zeros((20, 30, 3), np.uint8))
    (root / "masks" / "b.png").write_bytes(b"x")
    assert main(["data", "stats", str(root), "-o", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "disappearance rate" in shown
    assert "1 image could not be read: see masklet data check" in shown
    summary = json.loads((tmp_path / "out" / "stats.json").read_text())
    assert (summary["masks"], summary["unreadable"]) == (1, 1)
    assert (tmp_path / "out" / "areas.png").is_file()


@pytest.mark.parametrize("out", [".", "out", "../set", "images"])
def test_stats_never_writes_into_the_data_set(root, out, capsys):
    before = sorted(root.rglob("*"))
    assert main(["data", "stats", str(root), "-o", str(root / out)]) == 2
    assert "choose another -o" in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before


def test_the_verbs_are_in_the_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["data", "--help"])
    assert "{check,stats,make-clips,rank}" in capsys.readouterr().out


def test_plots_need_no_display(root, tmp_path):
    command = [sys.executable, "-m", "masklet.cli.main", "data", "stats", str(root), "-o", str(tmp_path / "out")]
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    done = subprocess.run(command, env={**environment, "MPLBACKEND": "TkAgg"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
