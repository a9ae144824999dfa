"""Actions in sessions, as the database has them: what is logged before and after, and the rows of objects.

An action is logged, done by a model worker, and logged as done; then its user hears of it. What is sent again under its
name goes the same way and is done once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from . import actions, tasks
from .accounts import signed_in
from .callers import Caller
from .database import Db, found, locked
from .errors import NotFound, Refused
from .live_messages import (
    Absent,
    Action,
    MaskPrompt,
    Merge,
    ObjectAdd,
    ObjectChange,
    ObjectRemove,
    Prompt,
    Propagate,
    Redo,
    Split,
    Stop,
    Undo,
)
from .objects import add_object, change_object, remove_object
from .problems import Rejected
from .schema import Action as ActionRow
from .schema import Object, Session, Task, User, Video
from .taken_out import others_have, taken_out

_DO = {Propagate: "propagate", Stop: "stop"}


@dataclass(frozen=True)
class Begun:
    """An action that is logged.

    Attributes:
        id: Of its row.
        state: ``begun``, or of one that is sent again perhaps ``done`` or ``refused``.
        error: Why it was refused.
        number: The object that it is about; of ``object_add`` the new one.
        message: What the model worker is asked.
    """

    id: int
    state: str
    error: str | None
    number: int | None
    message: dict[str, Any]


def begin(db: Db, task_id: int, caller: Caller, lease: str, action: Action) -> Begun:
    """Log an action before it is done.

    Raises:
        NotFound: There is no such task or object.
        LeaseLost: Somebody else has the task.
        Refused: The task is none in which masks change, or the name is that of another action.
        Rejected: The user is no longer signed in.
    """
    if caller.sign_in is not None and signed_in(db, caller.sign_in) is None:
        raise Rejected("unauthenticated", "sign in again: what you did is kept")
    if isinstance(action, ObjectAdd | Split):
        locked(db, Video, found(db, Task, task_id).video_id)  # before the task, as everywhere
    task = tasks.check_lease(db, task_id, found(db, User, caller.id), lease)
    if task.stage == "verify":
        raise Refused("a verification changes no masks: judge them, they go back to annotation")
    name = str(action.name)
    known = db.scalar(select(ActionRow).where(ActionRow.session_id == task.session_id, ActionRow.name == name))
    number, body = _prepared(db, task, caller, action) if known is None else _sent_again(action, known)
    clicks = len(action.points) + (action.box is not None) if isinstance(action, Prompt) else 0
    row, _ = actions.begin(
        db,
        task,
        found(db, User, caller.id),
        name,
        action.kind,
        getattr(action, "frame", None),
        number,
        clicks,
        body,
        action.seconds,
    )
    message = {"do": _DO.get(type(action), "act"), "kind": action.kind, "name": name, **body, "object": number}
    return Begun(row.id, row.state, row.error, number, message)


def finish(db: Db, task_id: int, begun: Begun, action: Action, event: Mapping[str, Any] | None) -> None:
    """Log an action as done, and bring the rows of objects up to it.

    Args:
        db: The transaction.
        task_id: Its task.
        begun: What :func:`begin` gave.
        action: The action.
        event: Of undo and redo what was undone or done again; the log keeps which objects went or came by it.
    """
    row = found(db, ActionRow, begun.id)
    if row.state == "done":
        return
    task = found(db, Task, task_id)
    match action:
        case ObjectChange():
            change_object(db, _object(db, task, action.object).id, action.label, action.colour)
        case ObjectRemove():
            _take_out(db, task, action.object)
        case Merge():
            _take_out(db, task, action.other)
        case _:
            pass
    if event is not None and event.get("objects") and event.get("kind") in ("remove", "merge", "split"):
        row.body = {"undone": {"kind": event["kind"], "objects": [*event["objects"]]}}
        db.flush()
        _follow(db, task, event["objects"][-1], away=(event["kind"] == "split") != (action.kind == "redo"))
    actions.finish(db, begun.id)


def refuse(db: Db, task_id: int, begun: Begun, action: Action, error: str) -> None:
    """Log an action as refused; an object that it was to make is none."""
    row = found(db, ActionRow, begun.id)
    if row.state == "begun" and isinstance(action, ObjectAdd | Split):
        number = begun.message["other"] if isinstance(action, Split) else begun.number
        remove_object(db, _object(db, found(db, Task, task_id), number).id)
    actions.refuse(db, begun.id, error)


def session_of(db: Db, task_id: int) -> Session:
    """The session of a task.

    Raises:
        NotFound: There is no such task.
        Refused: It has none.
    """
    task = found(db, Task, task_id)
    if task.session_id is None:
        raise Refused("the masks of this task are of no session: a model proposed them, or a file brought them")
    return found(db, Session, task.session_id)


def _prepared(db: Db, task: Task, caller: Caller, action: Action) -> tuple[int | None, dict[str, Any]]:
    """The object of an action, and what it takes to do it: with the numbers that the server chooses."""
    body = _body(action)
    number = getattr(action, "object", None)
    match action:
        case ObjectAdd():
            number = add_object(db, task.video_id, caller.id, action.label, action.colour, number).number
        case Prompt() | MaskPrompt() | Absent():
            _for_prompt(db, task, caller, action.object)
        case ObjectChange():
            _object(db, task, action.object)
        case ObjectRemove():
            _not_verified(_object(db, task, action.object))
        case Merge():
            _object(db, task, action.object)
            _not_verified(_object(db, task, action.other))
        case Split():
            _object(db, task, action.object)
            body["other"] = add_object(db, task.video_id, caller.id).number
        case _:
            pass
    return number, body


def _sent_again(action: Action, known: ActionRow) -> tuple[int | None, dict[str, Any]]:
    """The same, of an action that is logged: with the numbers that were chosen."""
    body = _body(action)
    if isinstance(action, Split):
        body["other"] = known.body.get("other")
    if isinstance(action, Undo | Redo):
        body = known.body
    number = getattr(action, "object", None)
    return known.number if isinstance(action, ObjectAdd) and number is None else number, body


def _body(action: Action) -> dict[str, Any]:
    return action.model_dump(mode="json", exclude={"id", "kind", "name", "seconds", "object"}, exclude_none=True)


def _for_prompt(db: Db, task: Task, caller: Caller, number: int) -> None:
    """Who prompts an object makes it theirs, be it new or proposed."""
    row = _row(db, task.video_id, number)
    if row is None:
        add_object(db, task.video_id, caller.id, number=number)
    elif row.state == "removed" or number in taken_out(db, task.session_id):
        raise NotFound(f"object {number} was removed: undo that, or add another one")
    elif row.state == "proposed":
        change_object(db, row.id, state="selected")


def _follow(db: Db, task: Task, number: int, *, away: bool) -> None:
    """The row of an object that undo or redo took away, or brought back."""
    row = _row(db, task.video_id, number)
    if away:
        _take_out(db, task, number)
    elif row is not None and row.state == "removed":
        change_object(db, row.id, state="selected")


def _take_out(db: Db, task: Task, number: int) -> None:
    """An object is no longer in a session: nor in the video, unless another copy has it or it was verified."""
    assert task.session_id is not None
    locked(db, Video, task.video_id)  # two copies may let go of it at once
    row = _row(db, task.video_id, number)
    if row is None or row.state in ("removed", "satisfactory") or others_have(db, task.session_id, row):
        return
    remove_object(db, row.id)


def _not_verified(row: Object) -> None:
    if row.state == "satisfactory":
        raise Refused(f"object {row.number} was verified: correct it and hand it in again, or leave it as it is")


def _object(db: Db, task: Task, number: int | None) -> Object:
    row = _row(db, task.video_id, number)
    if row is None or row.state == "removed" or number in taken_out(db, task.session_id):
        raise NotFound(f"there is no object {number} in this video")
    return row


def _row(db: Db, video_id: int, number: int | None) -> Object | None:
    return db.scalar(select(Object).where(Object.video_id == video_id, Object.number == number))
