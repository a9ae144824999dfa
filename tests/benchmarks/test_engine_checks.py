"""The checks after a load test, on an engine in which one thing is wrong at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from engine_work import act, mask, people, project, taken
from masklet import VideoSession
from masklet.data_engine.database import Database
from masklet.data_engine.live_client import Reply
from masklet.data_engine.schema import Action, Object, Session, Task
from masklet.data_engine.stored_masks import store_masklet
from masklet.data_engine.workspace import Workspace
from masklet.model.sam2 import Sam2

KEY = "0" * 32
CLICKS = [(20.0, 10.5), (33.0, 21.0), (12.0, 30.0)]


@pytest.fixture
def engine(tmp_path: Path, tiny: Sam2, frames: list[np.ndarray]) -> Iterator[tuple[Database, Workspace, list[Reply]]]:
    """A task with three acknowledged clicks on frame 2, which are in its session's file."""
    workspace = Workspace(tmp_path)
    database = Database(workspace.database)
    database.upgrade()
    (user,) = people(database, "ann")
    project_id = project(database, stages=("track", "verify"))
    with database.begin() as db:
        task = taken(db, user, project_id, "track")
        db.scalars(select(Session)).one().key = KEY
        for name, (x, y) in zip("abc", CLICKS, strict=True):
            act(db, task, user, name, frame=2, body={"points": [[x, y]], "labels": [1]})
    replies = [Reply(task.id, "prompt", name, {}, 0.1) for name in "abc"]
    with VideoSession(frames, tiny, autosave=workspace.session(KEY)) as session:
        for x, y in CLICKS:
            session.prompt(2, 1, points=[(x, y)], labels=[1])
    yield database, workspace, replies
    database.close()


def test_nothing_is_wrong(script, engine):
    assert script.complaints(*engine) == []


def test_a_lost_action(script, engine):
    database, workspace, replies = engine
    lost = Reply(1, "prompt", "d", {}, 0.1)
    assert script.complaints(database, workspace, [*replies, lost]) == ["prompt d of task 1 is in the log 0 times"]


def test_an_action_that_is_not_done(script, engine):
    database, workspace, replies = engine
    with database.begin() as db:
        db.scalars(select(Action).where(Action.name == "b")).one().state = "refused"
    found = script.complaints(database, workspace, replies)
    assert found[0] == "prompt b of task 1 is in the log as prompt of task 1, refused"
    assert "3 clicks in the file, 2 done in the log, 2 sent" in found[1]


@pytest.mark.parametrize("state", ["begun", "done"])
def test_a_click_that_the_file_lacks(script, engine, state):
    database, workspace, replies = engine
    with database.begin() as db:
        first = db.scalars(select(Action)).first()
        assert first is not None
        values = {"session_id": first.session_id, "task_id": first.task_id, "user_id": first.user_id}
        body = {"points": [[5.0, 5.0]], "labels": [0]}
        db.add(Action(**values, name="d", kind="prompt", frame=2, number=1, clicks=1, body=body, state=state))
    found = script.complaints(database, workspace, replies)
    assert len(found) == (state == "done")  # what was not answered may be there or not


def test_a_click_that_was_done_twice(script, engine, tiny, frames):
    database, workspace, replies = engine
    with VideoSession.load(workspace.session(KEY), frames, tiny, autosave=True) as session:
        session.prompt(2, 1, points=[CLICKS[2]], labels=[1])
    assert "4 clicks in the file, 3 done" in script.complaints(database, workspace, replies)[0]


def test_work_that_is_there_twice(script, engine):
    database, workspace, replies = engine
    with database.begin() as db:
        task = db.scalars(select(Task)).one()
        again = {"project_id": task.project_id, "video_id": task.video_id, "session_id": task.session_id}
        db.add(Task(**again, stage="track", state="open"))
        db.add(target := Object(video_id=task.video_id, number=9, name="nine", colour="#ffffff"))
        db.flush()
        for _ in range(2):
            store_masklet(db, target.id, [mask(0)], task_id=task.id)
    found = script.complaints(database, workspace, replies)
    assert [sentence.partition(" ")[0] for sentence in found] == ["2", "task"]
    assert "handed object" in found[1]
