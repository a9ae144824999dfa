"""Objects: the targets of a video."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import func, select

from ..masks.palette import object_colors
from .database import Db, found, locked
from .errors import Refused
from .schema import Object, ObjectState, Origin, Task, Video, now
from .wording import line, whole


def add_object(
    db: Db,
    video_id: int,
    user_id: int | None,
    name: str | None = None,
    colour: str | None = None,
    number: int | None = None,
    origin: Origin = "manual",
    state: ObjectState = "selected",
    at: datetime | None = None,
) -> Object:
    """Add an object to a video.

    Args:
        db: The transaction.
        video_id: The video.
        user_id: Who adds it; None: a model or a file.
        name: What people call it; None: its number.
        colour: ``#rrggbb``; None: that of its number.
        number: Its id in sessions, from 1; None: the next free one. Those of removed objects are not free.
        origin: Where it comes from.
        state: ``proposed`` where people have not chosen it.
        at: The time.

    Raises:
        NotFound: There is no such video.
        Refused: The number is taken, or a value is wrong.
    """
    locked(db, Video, video_id)
    last = db.scalar(select(func.max(Object.number)).where(Object.video_id == video_id)) or 0
    if number is None:
        number = last + 1
    elif not whole(number, "the number of the object"):
        raise Refused("the number of the object is 0, expected a number from 1")
    elif db.scalar(select(Object.id).where(Object.video_id == video_id, Object.number == number)) is not None:
        raise Refused(f"the video has an object {number} already")
    name = f"Object {number}" if name is None else line(name, "the name", 200)
    colour = "#{:02x}{:02x}{:02x}".format(*object_colors([number])[number]) if colour is None else _checked(colour)
    row = Object(
        video_id=video_id,
        number=number,
        name=name,
        colour=colour,
        origin=origin,
        state=state,
        created_by=user_id,
        created=at or now(),
    )
    db.add(row)
    db.flush()
    return row


def change_object(
    db: Db, object_id: int, name: str | None = None, colour: str | None = None, state: ObjectState | None = None
) -> Object:
    """Change an object; None leaves as it is. A state that is not ``removed`` brings a removed object back.

    Raises:
        NotFound: There is no such object.
        Refused: A value is wrong.
    """
    row = locked(db, Object, object_id)
    if name is not None:
        row.name = line(name, "the name", 200)
    if colour is not None:
        row.colour = _checked(colour)
    if state is not None:
        row.state = state
    db.flush()
    return row


def remove_object(db: Db, object_id: int) -> Object:
    """Take an object out of the work; its rows stay, and its verification is called off.

    Raises:
        NotFound: There is no such object.
    """
    locked(db, Video, found(db, Object, object_id).video_id)
    call_off_verification(db, object_id)
    return change_object(db, object_id, state="removed")


def call_off_verification(db: Db, object_id: int) -> None:
    """Cancel what is to be verified of an object; the caller has locked the video."""
    waiting = Task.object_id == object_id, Task.stage == "verify", Task.state.in_(("open", "leased"))
    for task in db.scalars(select(Task).where(*waiting).with_for_update(key_share=True)):
        task.state, task.assignee_id = "cancelled", None
    db.flush()


def objects_of(db: Db, video_id: int, removed: bool = False) -> list[Object]:
    """Objects of a video by number; with ``removed`` those as well that were removed."""
    query = select(Object).where(Object.video_id == video_id).order_by(Object.number)
    return list(db.scalars(query if removed else query.where(Object.state != "removed")))


def _checked(colour: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise Refused(f"the colour is {colour!r:.20}, expected one as #1f77b4")
    return colour.lower()
