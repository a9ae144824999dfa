"""Objects that somebody took out of a copy of the work on a video, while other copies may still have them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select

from .actions import EDITS
from .database import Db, found
from .schema import Action, Judgement, Object, Session, Task


def taken_out(db: Db, session_id: int | None) -> set[int]:
    """Numbers of the objects that were taken out of a session, by its log; none where a video has one session only.

    There the rows of objects say it.
    """
    if session_id is None or len(_sessions(db, found(db, Session, session_id).video_id)) < 2:
        return set()
    gone: set[int] = set()
    query = select(Action).where(*_done(session_id), Action.kind.in_(("object_remove", "merge", "undo", "redo")))
    for one in db.scalars(query.order_by(Action.id)):
        if one.kind == "object_remove":
            gone.add(one.number or 0)
        elif one.kind == "merge":
            gone.add(one.body["other"])
        elif event := one.body.get("undone"):
            away = (event["kind"] == "split") != (one.kind == "redo")
            (gone.add if away else gone.discard)(event["objects"][-1])
    return gone


def others_have(db: Db, session_id: int, target: Object) -> bool:
    """Whether the object is work of another copy: it was there before that was tracked, or was edited in it.

    An object that verification sent back is work of the copy that it was sent back to. The caller has locked the video.
    """
    others = [i for i in _sessions(db, target.video_id) if i != session_id]
    if not others:
        return False
    if target.state == "unsatisfactory":
        return _sent_back_to(db, target) != session_id
    return any(_has(db, other, target) for other in others)


def _has(db: Db, session_id: int, target: Object) -> bool:
    tracking = select(func.min(Task.created)).where(Task.session_id == session_id, Task.stage == "track")
    since = db.scalar(tracking)
    if target.number in taken_out(db, session_id):
        return False
    if since is not None and target.created <= since:
        return True
    edited = select(Action.id).where(*_done(session_id), Action.kind.in_(EDITS), Action.number == target.number)
    return db.scalar(edited.limit(1)) is not None


def _sent_back_to(db: Db, target: Object) -> int:
    """The session of its last verdict; of a model's own masklet the first one."""
    query = select(Task.session_id).join(Judgement, Judgement.task_id == Task.id)
    query = query.where(Task.object_id == target.id, Task.stage == "verify", Judgement.verdict.is_not(None))
    last = db.scalar(query.order_by(Judgement.id.desc()).limit(1))
    return _sessions(db, target.video_id)[0] if last is None else last


def _sessions(db: Db, video_id: int) -> list[int]:
    return list(db.scalars(select(Session.id).where(Session.video_id == video_id).order_by(Session.copy)))


def _done(session_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Action.session_id == session_id, Action.state == "done"
