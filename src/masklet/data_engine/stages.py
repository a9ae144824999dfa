"""What follows what: tasks that open when a video is ready, something was handed in, or a verdict fell."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from .agreement import consensus
from .database import Db, found
from .objects import call_off_verification, objects_of
from .project_settings import ProjectSettings
from .schema import Masklet, Object, Project, Session, Stage, Task, Video, now
from .stored_masks import newest_masklets

_GOING_ON = ("open", "leased")


def first_tasks(db: Db, video: Video, at: datetime | None = None) -> None:
    """Open the first stage of a video that is ready; what is only verified waits for masklets."""
    settings, at = _settings(db, video), at or now()
    session = _session(db, video, 0)
    if settings.stages[0] in ("select", "track"):
        _task(db, video, settings.stages[0], at, session_id=session.id)


def after_selection(db: Db, video: Video, at: datetime) -> tuple[tuple[str, str], ...]:
    """Open tracking, a task for each annotator; keys ``(from, to)`` of the session files to be copied."""
    settings = _settings(db, video)
    if "track" in settings.stages:
        for copy in range(settings.annotators):
            _task(db, video, "track", at, session_id=_session(db, video, copy).id)
    return copies(db, video.id)


def copies(db: Db, video_id: int) -> tuple[tuple[str, str], ...]:
    """Keys ``(first, other)`` of the first session of a video and each of its copies."""
    first, *others = db.scalars(select(Session.key).where(Session.video_id == video_id).order_by(Session.copy))
    return tuple((first, other) for other in others)


def after_tracking(db: Db, task: Task, video: Video, handed: Sequence[Object], at: datetime) -> None:
    """Open verification of what was handed in, of the first round once all annotators have handed theirs in."""
    for target in handed:
        target.state = "tracked"
    db.flush()
    if "verify" not in _settings(db, video).stages:
        return
    if task.round > 1:
        masklets = newest_masklets(db, video.id, task.session_id)
        for target in handed:
            _verify(db, video, target, masklets[target.number], at)
    elif not _tracking(db, video, first_round=True):
        for target in objects_of(db, video.id):
            masklet = consensus(db, target) if target.state == "tracked" else None
            if masklet is not None:
                _verify(db, video, target, masklet, at)


def track_again(db: Db, video: Video, session_id: int | None, at: datetime) -> None:
    """Open another round of tracking in a session, of a model's own masklets in the first one.

    An open task takes the object in. One that somebody works on does not: it opens another one when it is handed in.
    """
    if "track" not in _settings(db, video).stages:
        return
    session = _session(db, video, 0) if session_id is None else found(db, Session, session_id)
    if not _tracking(db, video, session.id):
        rounds = select(func.max(Task.round)).where(Task.session_id == session.id, Task.stage == "track")
        _task(db, video, "track", at, session_id=session.id, round=(db.scalar(rounds) or 0) + 1)


def verify_proposals(db: Db, video: Video, at: datetime) -> list[Task]:
    """Open verification of proposed objects that have masks and are not waiting for it."""
    going_on = Task.video_id == video.id, Task.stage == "verify", Task.state.in_(_GOING_ON)
    waiting = {*db.scalars(select(Task.object_id).where(*going_on))}
    masklets = newest_masklets(db, video.id)
    proposed = [o for o in objects_of(db, video.id) if o.state == "proposed" and o.number in masklets]
    return [_verify(db, video, o, masklets[o.number], at) for o in proposed if o.id not in waiting]


def _verify(db: Db, video: Video, target: Object, masklet: Masklet, at: datetime) -> Task:
    call_off_verification(db, target.id)  # of masks that are no longer the newest
    rounds = select(func.count()).where(Task.object_id == target.id, Task.stage == "verify", Task.state == "done")
    return _task(
        db,
        video,
        "verify",
        at,
        session_id=masklet.session_id,
        object_id=target.id,
        priority=masklet.quality,
        round=(db.scalar(rounds) or 0) + 1,
    )


def _tracking(db: Db, video: Video, session_id: int | None = None, first_round: bool = False) -> bool:
    query = select(Task.id).where(Task.video_id == video.id, Task.stage == "track", Task.state.in_(_GOING_ON))
    if session_id is not None:
        query = query.where(Task.session_id == session_id)
    if first_round:
        query = query.where(Task.round == 1)
    return db.scalar(query.limit(1)) is not None


def _task(
    db: Db,
    video: Video,
    stage: Stage,
    at: datetime,
    session_id: int | None,
    object_id: int | None = None,
    priority: float = 0.0,
    round: int = 1,
) -> Task:
    row = Task(
        project_id=video.project_id,
        video_id=video.id,
        object_id=object_id,
        session_id=session_id,
        stage=stage,
        priority=priority,
        round=round,
        created=at,
    )
    db.add(row)
    db.flush()
    return row


def _session(db: Db, video: Video, copy: int) -> Session:
    row = db.scalar(select(Session).where(Session.video_id == video.id, Session.copy == copy))
    if row is None:
        row = Session(video_id=video.id, copy=copy, key=secrets.token_hex(16))
        db.add(row)
        db.flush()
    return row


def _settings(db: Db, video: Video) -> ProjectSettings:
    return ProjectSettings.of(found(db, Project, video.project_id))
