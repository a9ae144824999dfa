"""Judgements: verdicts of verification, and comments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from .database import Db, found, locked
from .errors import NotFound, Refused
from .schema import VERDICTS, Judgement, Masklet, Object, Task, Verdict, now
from .stored_masks import newest_masklets
from .wording import duration, paragraph, whole

LONGEST_COMMENT = 5000


def judge(
    db: Db,
    task: Task,
    user_id: int,
    verdict: Verdict,
    comment: str,
    frame: int | None,
    seconds: float,
    at: datetime,
) -> Judgement:
    """Write a verdict down; the caller holds the task and the video.

    Raises:
        Refused: The task is no verification, there is no such verdict, or there is nothing to judge.
    """
    if task.stage != "verify" or task.object_id is None:
        raise Refused("only a verification ends with a verdict: hand the task in")
    if verdict not in VERDICTS:
        raise Refused(f"the verdict is {verdict!r}, expected one of {', '.join(VERDICTS)}")
    target = locked(db, Object, task.object_id)
    query = select(Masklet.id).where(
        Masklet.object_id == target.id, Masklet.session_id.is_not_distinct_from(task.session_id)
    )
    masklet_id = db.scalar(query.order_by(Masklet.id.desc()).limit(1))
    if masklet_id is None:
        raise Refused(f"object {target.number} has no masks to be judged")
    target.state = verdict
    return _judgement(db, masklet_id, task.id, user_id, verdict, comment, frame, seconds, at)


def judged(db: Db, task_id: int) -> Judgement:
    """The verdict of a verification.

    Raises:
        NotFound: There is none.
    """
    row = db.scalar(select(Judgement).where(Judgement.task_id == task_id, Judgement.verdict.is_not(None)))
    if row is None:
        raise NotFound(f"task {task_id} has no verdict")
    return row


def add_comment(
    db: Db, object_id: int, user_id: int, comment: str, frame: int | None = None, at: datetime | None = None
) -> Judgement:
    """Say something about the newest masks of an object.

    Raises:
        NotFound: There is no such object.
        Refused: It is empty, or the object has no masks yet.
    """
    target = found(db, Object, object_id)
    masklet = newest_masklets(db, target.video_id).get(target.number)
    if masklet is None:
        raise Refused(f"object {target.number} has no masks yet: comment once it was handed in")
    if not comment.strip():
        raise Refused("the comment is empty")
    return _judgement(db, masklet.id, masklet.task_id, user_id, None, comment, frame, 0.0, at or now())


def judgements_of(db: Db, object_id: int) -> list[Judgement]:
    """Verdicts and comments on an object, oldest first."""
    query = select(Judgement).join(Masklet, Masklet.id == Judgement.masklet_id).where(Masklet.object_id == object_id)
    return list(db.scalars(query.order_by(Judgement.id)))


def _judgement(
    db: Db,
    masklet_id: int,
    task_id: int | None,
    user_id: int,
    verdict: Verdict | None,
    comment: str,
    frame: int | None,
    seconds: float,
    at: datetime,
) -> Judgement:
    row = Judgement(
        masklet_id=masklet_id,
        task_id=task_id,
        user_id=user_id,
        verdict=verdict,
        comment=paragraph(comment, "the comment", LONGEST_COMMENT),
        frame=whole(frame, "the frame"),
        seconds=duration(seconds),
        created=at,
    )
    db.add(row)
    db.flush()
    return row
