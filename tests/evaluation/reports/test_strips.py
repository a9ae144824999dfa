"""Rows of frames, and how they are kept short."""

from __future__ import annotations

from made_runs import made_run, scored
from masklet.evaluation.reports.strips import strip_groups
from masklet.evaluation.scores import ObjectScore, SequenceScore, VosScore


def strips_of(*sequences):
    (group,) = strip_groups(made_run(vos={"mask": VosScore(sequences)}, interactive={}))
    return group


def test_a_row_an_object():
    mask, clicks, offline = strip_groups(made_run())
    assert [(s.video, s.label) for s in mask.strips] == [("a", "object 1"), ("b", "object 1"), ("b", "object 2")]
    assert (mask.protocol, clicks.protocol, offline.protocol) == (
        "from mask",
        "from 3 clicks",
        "offline, after the last round",
    )
    assert (clicks.strips[0].frames, clicks.strips[0].j, clicks.strips[0].prompted) == ("1:1", "20,40", "0")
    assert (offline.strips[0].j, offline.strips[0].prompted) == ("30,50", "0,2")
    assert mask.note == ""


def test_uneven_frames_are_listed():
    score = ObjectScore(1, (1, 5, 6), (0.1, 0.2, 0.3), (0.1, 0.2, 0.3))
    assert strips_of(SequenceScore("a", (score,))).strips[0].frames == "1,5,6"
    one = ObjectScore(1, (4,), (0.1,), (0.1,))
    assert strips_of(SequenceScore("a", (one,))).strips[0].frames == "4"


def test_long_videos_average_neighbours():
    (strip,) = strips_of(SequenceScore("a", (scored(1, *[0.0, 1.0] * 500),))).strips
    assert strip.frames == "1:3"
    assert strip.j.split(",")[:2] == ["33", "67"]
    assert len(strip.j.split(",")) == 334


def test_many_objects_become_rows_of_videos():
    videos = [SequenceScore(f"v{i}", (scored(1, 0.2, 0.4), scored(2, 0.6))) for i in range(251)]
    group = strips_of(*videos)
    assert len(group.strips) == 251
    assert (group.strips[0].label, group.strips[0].j) == ("2 objects", "40,40")
    assert group.note == "502 objects: each row is the mean over those of a video."


def test_of_many_videos_the_worst_are_shown():
    videos = [SequenceScore(f"v{i}", (scored(1, i / 600),)) for i in range(600)]
    group = strips_of(*videos)
    assert [s.video for s in group.strips] == [f"v{i}" for i in range(500)]
    assert "Of 600 videos the 500 worst" in group.note
