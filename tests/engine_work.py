"""Work in the data engine's store, without models: projects, videos, masks, and people."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta, timezone

import numpy as np

from masklet.data_engine.actions import begin, finish
from masklet.data_engine.database import Database, Db
from masklet.data_engine.objects import add_object
from masklet.data_engine.projects import add_project, add_video, video_ready
from masklet.data_engine.schema import Task, User
from masklet.data_engine.stored_masks import StoredMask
from masklet.data_engine.tasks import claim, submit
from masklet.masks.rle import encode

START = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)
WIDTH, HEIGHT, FRAMES = 60, 40, 8


def later(seconds: float) -> datetime:
    """A time after the start."""
    return START + timedelta(seconds=seconds)


def person(db: Db, name: str, role: str = "admin") -> User:
    """Somebody without a password: hashing takes long."""
    user = User(name=name, role=role)
    db.add(user)
    db.flush()
    return user


def people(database: Database, *names: str, role: str = "admin") -> list[User]:
    """Several of them, committed."""
    with database.begin() as db:
        return [person(db, name, role) for name in names]


def project(
    database: Database, name: str = "p", videos: tuple[str, ...] = ("v",), phase: int = 3, every: int = 1, **settings
) -> int:
    """A project with videos that are ready; gives its id."""
    with database.begin() as db:
        made = add_project(db, name, phase, "nano", every, settings, at=START)
        for video in videos:
            ready(db, made.id, video)
        return made.id


def ready(db: Db, project_id: int, name: str, width: int = WIDTH, height: int = HEIGHT) -> int:
    """A video that is ready; gives its id."""
    video = add_video(db, project_id, name, f"key of {name} in {project_id}", at=START)
    return video_ready(db, video.id, width, height, FRAMES, 24.0, at=START).id


def mask(frame: int, right: int = 30, iou: float = 0.9, prompted: bool = False, height: int = HEIGHT) -> StoredMask:
    """Everything left of a column."""
    inside = np.zeros((height, WIDTH), bool)
    inside[:, :right] = True
    presence = 100.0 if right else -100.0
    return StoredMask(frame, encode(inside)["counts"].encode(), int(inside.sum()), iou, presence, 0.95, prompted)


def masks(*frames: int, right: int = 30, iou: float = 0.9) -> list[StoredMask]:
    """The same mask on several frames."""
    return [mask(frame, right, iou) for frame in frames or range(FRAMES)]


def act(db: Db, task: Task, user: User, name: str, frame: int, number: int = 1, **values):
    """An action that is done; a prompt with one click where nothing else is said."""
    values = {"kind": "prompt", "clicks": 1, "at": START} | values
    action, fresh = begin(db, task, user, name, frame=frame, number=number, **values)
    assert fresh
    return finish(db, action.id)


def taken(db: Db, user: User, project_id: int, stage: str, at: datetime = START) -> Task:
    """A task that must be there."""
    task = claim(db, user, project_id, stage, at=at)
    assert task is not None
    return task


def tracked(database: Database, user: User, project_id: int, at: datetime = START, **right_of) -> int:
    """Track a video whose objects are of one rectangle each, ``o1=30``; gives the id of the task."""
    with database.begin() as db:
        task = taken(db, user, project_id, "track", at)
        for name in right_of:
            add_object(db, task.video_id, user.id, number=int(name[1:]), at=at)
        submit(db, task.id, user, task.lease, {int(name[1:]): masks(right=x) for name, x in right_of.items()}, at=at)
        return task.id


def overlapping(database: Database, first, second):
    """Run two functions of a transaction, the second one while the first is not committed yet; what they give.

    The second one has a moment to do harm: it either waits for the first, or sees nothing of it.
    """
    with ThreadPoolExecutor(1) as pool:
        with database.begin() as db:
            one = first(db)
            db.flush()
            other = pool.submit(database.run, second)
            wait([other], timeout=0.3)
        return one, other.result()
