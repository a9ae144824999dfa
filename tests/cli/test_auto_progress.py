from __future__ import annotations

import pytest

from masklet.cli import auto_progress
from masklet.cli.auto_progress import Shown, duration, pace
from masklet.evaluation.runs import Done, Unit


def test_pace_and_duration():
    assert pace(10, 3, 0, 0, 5.0) == "3 of 10 done"
    assert pace(10, 5, 2, 1, 30.0) == "5 of 10 done, 1 failed, 6.0 a minute, 40 s left"
    assert pace(10, 10, 2, 0, 30.0) == "10 of 10 done, 4.0 a minute"
    assert [duration(s) for s in (5.0, 600.0, 7200.0, 1e6)] == ["5 s", "10.0 min", "2.0 h", "11.6 days"]


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(auto_progress, "_PERIOD", 0.0)
    shown = Shown(4, 1, quiet=False)
    with shown:
        shown.add(Done(Unit("movie", 0, "a"), {"frames": 5, "masks": 2, "bytes": 100}))
        shown.add(Done(Unit("movie", 1, "b"), fault="broken"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("2 of 4 done, ")
    assert lines[1] == "failed: b: broken"
    assert lines[2].startswith("2 of 4 done, 1 failed, ")
    assert (shown.frames, shown.masks, shown.bytes) == (5, 2, 100)
