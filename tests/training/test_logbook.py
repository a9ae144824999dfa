from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from masklet.training.logbook import Logbook, spoken
from masklet.training.loop import Report
from masklet.video.images import read_image


def report(step: int, kind: str, loss: float, skipped: bool = False, scores=None) -> Report:
    return Report(
        step, step / 4, kind, loss, (0.1, 0.2, 0.3, 0.4), 0.5, 0.6, 2.0, 1.0, 0.5, 0.1, ("a",), skipped, scores
    )


def test_curves_and_lines_are_means_of_what_happened(tmp_path: Path):
    with Logbook(tmp_path, every=2) as book:
        before = book.score(0, {"j": 0.125})
        assert book.add(report(1, "image", 4.0)) == []
        (line,) = book.add(report(2, "image", 2.0))
        assert "step 2" in line
        assert "images: loss 3.000 iou 0.600" in line
        scored = book.add(report(3, "clip", 100.0, skipped=True, scores={"j": 0.5, "f": 0.75}))
        last, after = book.add(report(4, "clip", 1.0, scores={"j": 0.25}))
        assert scored == ["step 3  validation: j 0.500, f 0.750"]
        assert "clips: loss 1.000" in last
    assert (tmp_path / "log.txt").read_text().splitlines() == [before, line, *scored, last, after]
    events = EventAccumulator(str(tmp_path / "curves"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("image/loss")] == [(2, 3.0)]
    assert [(e.step, e.value) for e in events.Scalars("clip/loss")] == [(4, 1.0)]
    assert [(e.step, e.value) for e in events.Scalars("validation/j")] == [(0, 0.125), (3, 0.5), (4, 0.25)]
    assert [e.value for e in events.Scalars("run/skipped")] == [0.0, 1.0]


def test_the_time_that_is_left_is_told_after_ten_steps(tmp_path: Path):
    """At the pace of the last steps: two seconds each, then four."""
    now = 0.0
    told: dict[int, str] = {}
    with Logbook(tmp_path, clock=lambda: now) as book:
        for step in range(6, 401):  # goes on from step 5
            now += 2 if step < 200 else 4
            for line in book.add(replace(report(step, "image", 1.0), progress=step / 400)):
                told[step] = line
    assert list(told)[:3] == [15, 20, 40]
    assert told[15].endswith("13 min left")
    assert told[300].endswith("7 min left")
    assert "left" not in told[400]


def test_spoken_times():
    assert [spoken(s) for s in (0.4, 99.0, 100.0, 5900.0, 7200.0, 36e3, 4e6)] == [
        "0 s",
        "99 s",
        "2 min",
        "98 min",
        "2.0 h",
        "10 h",
        "1,111 h",
    ]


def test_pictures_are_kept(tmp_path: Path):
    sheet = np.zeros((8, 12, 3), np.uint8)
    sheet[..., 0] = 200
    with Logbook(tmp_path) as book:
        book.show(sheet, 7)
    assert np.array_equal(read_image(tmp_path / "samples.png"), sheet)
    events = EventAccumulator(str(tmp_path / "curves"))
    events.Reload()
    assert [e.step for e in events.Images("samples")] == [7]
