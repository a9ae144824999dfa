"""The script that measures how long clicks wait, for a moment."""

from __future__ import annotations

import pytest


def test_both_ways_are_measured(script, capsys: pytest.CaptureFixture):
    script.main(["--others", "2", "--seconds", "1.5", "--frames", "5", "--image-size", "96"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| 2")]
    assert [row[1] for row in rows] == ["global lock", "scheduler"]
    for row in rows:
        assert int(row[2]) > 0
        assert float(row[-1].rstrip(" |")) > 0
