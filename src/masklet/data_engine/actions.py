"""Actions in sessions: each is done once however often it is sent, and logged with its time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from .database import Db, found, locked
from .errors import NotFound, Refused
from .project_settings import ProjectSettings
from .schema import Action, Project, Task, User, now
from .wording import duration, line, whole

PROMPTS = ("prompt", "mask", "absent")
"""Kinds that make a frame an edited one; of a range that an object is absent from, it is the first."""
EDITS = (*PROMPTS, "clear", "present", "trim", "swap", "merge", "split")
"""Kinds that change masks of the objects that they name."""


def begin(
    db: Db,
    task: Task,
    user: User,
    name: str,
    kind: str,
    frame: int | None = None,
    number: int | None = None,
    clicks: int = 0,
    body: dict[str, Any] | None = None,
    seconds: float = 0.0,
    at: datetime | None = None,
) -> tuple[Action, bool]:
    """Log an action before it is done; the caller has checked the lease in the same transaction.

    Args:
        db: The transaction.
        task: What it belongs to.
        user: Who acts.
        name: A UUID that the client made.
        kind: What is done.
        frame: On which frame.
        number: To which object.
        clicks: Points that it gives.
        body: Everything that it takes to do it.
        seconds: Time it took the user; at most what passed since the action before, unless users are simulated.
        at: The time.

    Returns:
        The action, and whether it is new. One that is not new is answered by its state: ``done``, ``refused`` with its
        error, or ``begun``, then perhaps it is in the session file and the worker, which is told again, knows.

    Raises:
        Refused: The name is that of another action, or a value wrong.
    """
    if task.session_id is None:
        raise Refused("this task has no session: there is nothing to act on")
    name, kind, at = line(name, "the name of the action", 64), line(kind, "the kind", 20), at or now()
    known = _named(db, task.session_id, name)
    if known is None:
        seconds = _worked(db, task, duration(seconds), at)
        row = Action(
            session_id=task.session_id,
            task_id=task.id,
            user_id=user.id,
            name=name,
            kind=kind,
            frame=whole(frame, "the frame"),
            number=whole(number, "the object"),
            clicks=whole(clicks, "clicks") or 0,
            body=body or {},
            seconds=seconds,
            created=at,
        )
        try:
            with db.begin_nested():
                db.add(row)
        except IntegrityError:  # the same action in another transaction, or the task is gone
            known = _named(db, task.session_id, name)
            if known is None:
                raise NotFound(f"there is no task {task.id}; perhaps it was removed") from None
        else:
            held = found(db, Task, task.id)
            held.seconds = Task.seconds + seconds  # added up by the database: others may do the same now
            db.flush()
            db.refresh(held, ["seconds"])
            return row, True
    same_object = number in (None, known.number)  # perhaps the server chose it
    if not same_object or (known.kind, known.frame, known.body) != (kind, frame, body or {}):
        raise Refused(f"the name {name} is that of another action: give every action a new one")
    return known, False


def finish(db: Db, action_id: int, at: datetime | None = None) -> Action:
    """An action is in the session file.

    Raises:
        NotFound: There is no such action.
    """
    row = locked(db, Action, action_id)
    if row.state != "done":
        row.state, row.error, row.done = "done", None, at or now()
        db.flush()
    return row


def refuse(db: Db, action_id: int, error: str, at: datetime | None = None) -> Action:
    """An action cannot be done and changed nothing; ``error`` is a sentence for the user.

    Raises:
        NotFound: There is no such action.
    """
    row = locked(db, Action, action_id)
    if row.state == "begun":
        row.state, row.error, row.done = "refused", error, at or now()
        db.flush()
    return row


def set_number(db: Db, action_id: int, number: int) -> Action:
    """Log which number the server chose for an object that an action adds.

    Raises:
        NotFound: There is no such action.
    """
    row = locked(db, Action, action_id)
    row.number = number
    db.flush()
    return row


def actions_of(db: Db, task_id: int | None = None, session_id: int | None = None) -> list[Action]:
    """Actions of a task, of a session, or of both, in the order in which they were begun."""
    query = select(Action).order_by(Action.id)
    if task_id is not None:
        query = query.where(Action.task_id == task_id)
    if session_id is not None:
        query = query.where(Action.session_id == session_id)
    return list(db.scalars(query))


def _named(db: Db, session_id: int, name: str) -> Action | None:
    return db.scalar(select(Action).where(Action.session_id == session_id, Action.name == name))


def _worked(db: Db, task: Task, seconds: float, at: datetime) -> float:
    """Time that counts: a client may not say that more passed than did."""
    if ProjectSettings.of(found(db, Project, task.project_id)).simulated:
        return seconds
    before = [task.started, db.scalar(select(func.max(Action.created)).where(Action.task_id == task.id))]
    since = max((moment for moment in before if moment is not None), default=at)
    return max(min(seconds, (at - since).total_seconds()), 0.0)
