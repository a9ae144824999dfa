"""The profile of a frame: parts, their arithmetic, and operations."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tiny_model import SMALL_HIERA, tiny_model


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import profile_frame

    return profile_frame


def test_every_part_has_time_and_arithmetic(script):
    parts, operations = script.measure(tiny_model(SMALL_HIERA), 2, 2, time.process_time)
    rows = {cells[0]: cells[1:] for line in parts.splitlines()[2:8] if (cells := line.strip("| ").split(" | "))}
    assert list(rows) == [*script.PARTS, "rest", "frame"]
    assert rows["frame"][1] == "100 %"
    assert "aten::" in operations


def test_shares(script):
    seconds = {"frame": 2.0, "image encoder": 1.0, "memory attention": 0.5, "mask decoder": 0.2, "memory encoder": 0.1}
    work = {"frame": 160.0, "image encoder": 80.0, "memory attention": 60.0, "mask decoder": 10.0, "memory encoder": 10}
    lines = script.parts_table(seconds, work, 100.0).splitlines()
    assert lines[2] == "| image encoder | 1000 | 50 % | 80.0 | 80 % |"
    assert lines[6].startswith("| rest | 200 | 10 % |")
    assert lines[7] == "| frame | 2000 | 100 % | 160.0 | 80 % |"


def test_calls_are_watched_only_meanwhile(script):
    owner, name = script.PARTS["mask decoder"]
    before = getattr(owner, name)
    with script.watched(lambda part, call: call()):
        assert getattr(owner, name) is not before
    assert getattr(owner, name) is before


def test_fast_and_readable_forms_answer_every_call(script):
    table = script.against_readable(tiny_model(SMALL_HIERA), 2, 2, time.process_time)
    rows = {cells[0]: cells[1:] for line in table.splitlines()[2:] if (cells := line.strip("| ").split(" | "))}
    assert list(rows) == [*script.READABLE, "frame"]
    assert all(float(rows[part][1]) < 1e-4 for part in script.READABLE)
    assert float(rows["frame"][0].split()[0]) > 0
