"""The script that compares metrics, with a public evaluator where one is installed and with a wrong one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A video of three frames with two objects, and a folder without masks."""
    (tmp_path / "a" / "masks").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for frame in range(3):
        labels = np.zeros((48, 70), np.uint8)
        labels[10:30, 5 + 4 * frame : 30] = 1
        labels[20:40, 40:60] = 4
        cv2.imwrite(str(tmp_path / "a" / "masks" / f"{frame:05}.png"), labels)
    return tmp_path


def test_random_masks_are_thousands_of_every_kind(script):
    cases = list(script.random_cases(rounds=1))
    assert len(cases) > 1000
    assert {case.gt.shape for case in cases} == set(script.SIZES)
    assert {case.kind for case in cases} == {"random", "random, void"}
    filled = {case.gt.mean() for case in cases if case.gt.size > 1000}
    assert {0.0, 1.0} < filled


def test_a_difference_is_seen(script, data: Path):
    cases = list(script.real_cases(script.read(data, 3)))
    assert len(cases) == 2 * 3 * 11

    def wrong(case):
        j, f = script.readable(case)
        return j + 1e-7, f

    rows = script.parity(cases, {"right": script.readable, "wrong": wrong, "silent": lambda case: None})
    assert [row[:3] for row in rows] == [
        (kind, judge, count) for kind, count in (("video", "60"), ("video, void", "6")) for judge in ("right", "wrong")
    ]
    assert [row[3] for row in rows] == ["0", "1e-07", "0", "1e-07"]
    assert {row[4] for row in rows} == {"0"}


def test_the_whole_report(script, data: Path, monkeypatch, capsys):
    monkeypatch.setattr(script, "SIZES", ((7, 9),))
    threads = cv2.getNumThreads()
    try:
        script.main(["--data", str(data), "--rounds", "1", "--frames", "2", "--repeats", "1", "--enlarge", "1", "3"])
    finally:
        cv2.setNumThreads(threads)
    parity, speed = capsys.readouterr().out.split("\n\n")[:2]
    assert all(line.endswith("| 0 | 0 |") for line in parity.splitlines()[2:])
    assert [line.split(" | ")[:3] for line in speed.splitlines()[2:]] == [
        ["| a", "70x48", "2"],
        ["| a", "210x144", "2"],
        ["| mean of 1", "70x48", "2"],
        ["| mean of 1", "210x144", "2"],
    ]
    for text in (parity, speed):
        assert len({line.count("|") for line in text.splitlines()}) == 1


def test_folders_without_masks_are_named(script, tmp_path: Path):
    with pytest.raises(SystemExit, match="masks"):
        script.read(tmp_path, 3)
    with pytest.raises(SystemExit, match="checkout"):
        script.judges(tmp_path)


def test_a_ratio_is_the_median_over_repeats(script):
    timing = script.Timing("a", "4x4", 1, {"ours": [1.0, 2.0, 1.0], "theirs": [6.0, 4.0, 7.0]})
    assert timing.row() == ("a", "4x4", "1", "1.000", "6.000", "6.0")
