from __future__ import annotations

import csv
import io

import pytest

from engine_work import act, later, masks, people, project, taken
from masklet.data_engine import statistics as stats
from masklet.data_engine.errors import NotFound, Refused
from masklet.data_engine.objects import add_object, remove_object
from masklet.data_engine.tasks import submit, verdict

DAY = 24 * 3600


def by_place(rows):
    return {(row.stage, row.annotator, row.day): row.effort for row in rows}


@pytest.fixture
def worked(database):
    """A project of one video: ann tracks two objects, bob sends one back, cid corrects it the next day."""
    ann, bob, cid = people(database, "ann", "bob", "cid")
    p = project(database, simulated=True, stages=["track", "verify"], every=2)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        for _ in range(3):
            add_object(db, task.video_id, ann.id)
        act(db, task, ann, "a", frame=0, number=1, clicks=3, seconds=6.0)
        act(db, task, ann, "b", frame=0, number=1, clicks=1, seconds=2.0)  # the same frame again
        act(db, task, ann, "c", frame=4, number=1, clicks=2, seconds=3.0)
        act(db, task, ann, "d", frame=5, number=1, clicks=1, seconds=1.0)  # not annotated in the end
        act(db, task, ann, "e", frame=0, number=2, kind="mask", clicks=0, seconds=4.0)
        act(db, task, ann, "f", frame=2, number=2, kind="clear", clicks=0, seconds=1.0)  # no prompt
        act(db, task, ann, "g", frame=0, number=3, clicks=9, seconds=2.0)
        submit(
            db, task.id, ann, task.lease, {1: masks(), 2: masks(iou=0.8), 3: masks(iou=0.7)}, seconds=5.0, at=later(30)
        )
        remove_object(db, 3)
    with database.begin() as db:
        for answer, seconds in (("unsatisfactory", 10.0), ("satisfactory", 20.0)):
            task = taken(db, bob, p, "verify")
            verdict(db, task.id, bob, task.lease, answer, seconds=seconds, at=later(60))
    with database.begin() as db:  # object 2 again
        task = taken(db, cid, p, "track", later(DAY))
        act(db, task, cid, "h", frame=0, number=2, clicks=2, seconds=4.0)
        act(db, task, cid, "i", frame=6, number=2, clicks=2, seconds=4.0)
        submit(db, task.id, cid, task.lease, {1: masks(), 2: masks()}, at=later(DAY))
        task = taken(db, bob, p, "verify", later(DAY))
        verdict(db, task.id, bob, task.lease, "satisfactory", seconds=30.0, at=later(DAY))
    return database, p


def test_statistics_by_hand(worked):
    database, p = worked
    with database.reading() as db:
        rows = by_place(stats.statistics(db, p))
    # Annotated are frames 0, 2, 4 and 6 of objects 1 and 2; edited 0 and 4 of the first, 0 and 6 of the second.
    track = rows["track", None, None]
    assert track == stats.Effort(
        tasks=2, seconds=32.0, masklets=2, frames=8, edited=4, clicks=7 + 4, verdicts=3, accepted=2
    )
    assert track.seconds_a_frame == 32 / 8
    assert track.edited_share == 4 / 8
    assert track.clicks_per_edited_frame == 11 / 4
    assert track.tasks_an_hour == 2 * 3600 / 32
    assert track.acceptance_rate == 2 / 3
    verify = rows["verify", None, None]
    assert verify == stats.Effort(tasks=3, seconds=60.0, verdicts=3, accepted=2)
    assert (verify.seconds_a_frame, verify.edited_share, verify.clicks_per_edited_frame) == (None, None, None)
    ann, cid = rows["track", "ann", None], rows["track", "cid", None]
    assert ann == stats.Effort(tasks=1, seconds=24.0, masklets=2, frames=8, edited=3, clicks=7, verdicts=2, accepted=1)
    assert cid == stats.Effort(tasks=1, seconds=8.0, masklets=1, frames=4, edited=2, clicks=4, verdicts=1, accepted=1)
    assert rows["verify", "bob", None] == verify
    assert rows["track", None, "2025-01-01"] == ann
    assert rows["track", None, "2025-01-02"] == cid
    assert rows["verify", None, "2025-01-02"] == stats.Effort(tasks=1, seconds=30.0, verdicts=1, accepted=1)
    assert len(rows) == 2 + 3 + 4


def test_csv(worked):
    database, p = worked
    with database.reading() as db:
        rows = stats.statistics(db, p)
    read = list(csv.DictReader(io.StringIO(stats.to_csv(rows))))
    assert len(read) == len(rows)
    assert read[0]["stage"] == "track"
    assert (read[0]["annotator"], read[0]["frames"], float(read[0]["seconds_a_frame"])) == ("", "8", 4.0)
    assert stats.to_csv([]) == ""


def test_a_name_is_no_formula():
    row = stats.StatisticsRow("track", '=HYPERLINK("x")', None, stats.Effort())
    [read] = csv.DictReader(io.StringIO(stats.to_csv([row])))
    assert read["annotator"] == '\'=HYPERLINK("x")'


def test_nothing_was_done(database):
    p = project(database)
    with database.reading() as db:
        assert stats.statistics(db, p) == []
        with pytest.raises(NotFound):
            stats.statistics(db, 99)


def phase(database, user, number, seconds, prompted, right):
    """A project of one object of 8 frames that is prompted with two clicks on some of them."""
    p = project(database, f"phase {number}", phase=number, simulated=True, stages=["track"])
    with database.begin() as db:
        task = taken(db, user, p, "track")
        add_object(db, task.video_id, user.id)
        for frame in prompted:
            act(db, task, user, str(frame), frame=frame, clicks=2, seconds=seconds)
        submit(db, task.id, user, task.lease, {1: [*masks(*range(4)), *masks(*range(4, 8), right=right)]})
    return p


def test_table_1_by_hand(database):
    [ann] = people(database, "ann")
    first = phase(database, ann, 1, 37.0, range(8), 30)
    second = phase(database, ann, 2, 8.0, (0, 2), 20)  # 20/30 on half of the frames
    third = phase(database, ann, 3, 4.0, (0,), 25)  # 25/30
    with database.reading() as db:
        rows = stats.table1(db, [first, second, third])
        plain = [row.plain() for row in rows]
        assert [row["phase"] for row in plain] == [1, 2, 3]
        assert [row["seconds_a_frame"] for row in plain] == [37, 2, 0.5]
        assert [row["edited_frames_percent"] for row in plain] == [100, 25, 12.5]
        assert [row["clicks_per_edited_frame"] for row in plain] == [2, 2, 2]
        assert [row["alignment_all"] for row in plain] == [None, 50, 100]
        assert [row["alignment_medium"] for row in plain] == [None, 50, 100]  # 30 x 40 pixels
        assert [row["alignment_small"] for row in plain] == [None, None, None]
        [row] = stats.table1(db, [second])
        assert row.alignment is None  # no reference
        [row] = stats.table1(db, [second], reference_id=third)
        assert row.plain()["alignment_all"] == 100  # 20/25 and 30/30
        read = list(csv.DictReader(io.StringIO(stats.to_csv(rows))))
        assert read[1]["project"] == "phase 2"
        assert float(read[1]["alignment_all"]) == 50
        with pytest.raises(Refused, match="at least one"):
            stats.table1(db, [])
        with pytest.raises(NotFound):
            stats.table1(db, [99])
