"""Tasks: who has one, under which lease, and how it is handed in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased

from . import stages
from .database import Db, found, locked
from .errors import LeaseLost, Refused
from .hand_in import hand_in
from .judgements import judge, judged
from .permissions import must_do
from .project_settings import ProjectSettings
from .schema import STAGES, Judgement, Masklet, Project, Stage, Task, TaskState, User, Verdict, Video, now
from .stored_masks import StoredMask
from .wording import duration


@dataclass(frozen=True)
class Submitted:
    """What became of a task that was handed in.

    Attributes:
        new_sessions: Keys ``(from, to)`` of session files to be copied, in the same transaction so that no copy is
            worked on before it is there. A file ``to`` that exists already is left alone.
    """

    new_sessions: tuple[tuple[str, str], ...] = ()


def claim(db: Db, user: User, project_id: int, stage: Stage, at: datetime | None = None) -> Task | None:
    """The best task that somebody may do, now theirs under ``task.lease``; None: there is none.

    Free are open tasks and those whose lease ran out. The lowest priority comes first, then the oldest.

    Raises:
        NotFound: There is no such project.
        Forbidden: The role of the user does not include the stage.
        Refused: There is no such stage.
    """
    at = at or now()
    if stage not in STAGES:
        raise Refused(f"the stage is {stage!r}, expected one of {', '.join(STAGES)}")
    must_do(user, stage)
    project = found(db, Project, project_id)
    locked(db, User, user.id)  # or two claims at once could give one person two copies of a video
    query = select(Task).where(Task.project_id == project_id, Task.stage == stage, _free(at))
    query = query.where(_may_do(user, stage, ProjectSettings.of(project))).order_by(Task.priority, Task.id).limit(1)
    held = query.with_for_update(skip_locked=True, key_share=True).execution_options(populate_existing=True)
    task = db.scalar(held)
    return None if task is None else _given(db, task, user, project, at)


def claim_task(db: Db, user: User, task_id: int, at: datetime | None = None) -> Task:
    """This task, if it is free or the user's own; an own one gets a new lease, which ends the old one.

    Raises:
        NotFound: There is no such task.
        Forbidden: The role of the user does not include its stage.
        Refused: Somebody else has it, it is done, or the rules of the project give it to others.
    """
    at = at or now()
    locked(db, User, user.id)
    task = locked(db, Task, task_id)
    stage: Stage = task.stage  # type: ignore[assignment]
    must_do(user, stage)
    project = found(db, Project, task.project_id)
    if task.state not in ("open", "leased"):
        raise Refused(f"task {task_id} is {task.state}: take another one")
    if not db.scalar(select(or_(_free(at), Task.assignee_id == user.id)).where(Task.id == task_id)):
        raise Refused(f"somebody else works on task {task_id}: take another one")
    if not db.scalar(select(Task.id).where(Task.id == task_id, _may_do(user, stage, ProjectSettings.of(project)))):
        raise Refused("this needs another person: you tracked it, or have another copy of this video")
    return _given(db, task, user, project, at)


def heartbeat(db: Db, task_id: int, user: User, lease: str, at: datetime | None = None) -> datetime:
    """A sign of life: when the lease runs out now.

    Raises:
        NotFound: There is no such task.
        LeaseLost: Somebody else has it, or it is done.
    """
    task = check_lease(db, task_id, user, lease)
    project = found(db, Project, task.project_id)
    task.lease_expires = expires = (at or now()) + timedelta(seconds=ProjectSettings.of(project).lease_seconds)
    db.flush()
    return expires


def release(db: Db, task_id: int, user: User, lease: str) -> Task:
    """Give a task back for others to do; what was done stays in the session.

    Raises:
        NotFound: There is no such task.
        LeaseLost: Somebody else has it, or it is done.
    """
    task = check_lease(db, task_id, user, lease)
    task.state, task.assignee_id, task.lease, task.lease_expires = "open", None, None, None
    db.flush()
    return task


def check_lease(db: Db, task_id: int, user: User, lease: str) -> Task:
    """The task, locked, if it is in the hands of this user under this lease.

    A lease that ran out is good until somebody else takes the task: a laptop may sleep for a while.

    Raises:
        NotFound: There is no such task.
        LeaseLost: Somebody else has it, or it is done.
    """
    task = locked(db, Task, task_id)
    if task.state != "leased" or task.assignee_id != user.id or task.lease != lease:
        raise LeaseLost(f"task {task_id} is no longer yours: what you did is kept, take it or another one again")
    return task


def submit(
    db: Db,
    task_id: int,
    user: User,
    lease: str,
    masklets: Mapping[int, Sequence[StoredMask]],
    seconds: float = 0.0,
    at: datetime | None = None,
) -> Submitted:
    """Hand a task of selection or tracking in; sent again, it is answered again.

    Selection opens the tasks of tracking, one for each annotator. Tracking stores masklets and, once all annotators
    have handed theirs in, opens tasks of verification, the least certain masklet first.

    Args:
        db: The transaction.
        task_id: The task.
        user: Who hands it in.
        lease: Their lease.
        masklets: Masks of all objects of the session by their numbers; only tracking needs them.
        seconds: Work since the last action.
        at: The time.

    Raises:
        NotFound: There is no such task.
        LeaseLost: Somebody else has it, or it was handed in by somebody else.
        Refused: Something is missing, or it is a verification, which ends with :func:`verdict`.
    """
    at = at or now()
    video = locked(db, Video, found(db, Task, task_id).video_id)
    if _handed_in(locked(db, Task, task_id), user, lease):
        return Submitted(stages.copies(db, video.id) if found(db, Task, task_id).stage == "select" else ())
    task = check_lease(db, task_id, user, lease)
    if task.stage == "verify":
        raise Refused("a verification ends with a verdict")
    new: tuple[tuple[str, str], ...] = ()
    if task.stage == "select":
        _done(db, task, user, seconds, at)
        new = stages.after_selection(db, video, at)
    else:
        handed = hand_in(db, task, video, user.id, masklets, at)
        _done(db, task, user, seconds, at)
        stages.after_tracking(db, task, video, handed.objects, at)
        if handed.returned_meanwhile:
            stages.track_again(db, video, task.session_id, at)
    return Submitted(new)


def verdict(
    db: Db,
    task_id: int,
    user: User,
    lease: str,
    verdict: Verdict,
    comment: str = "",
    frame: int | None = None,
    seconds: float = 0.0,
    at: datetime | None = None,
) -> Judgement:
    """Judge the object of a verification; sent again, it is answered again.

    ``satisfactory`` keeps its masklet, ``unsatisfactory`` sends it back to tracking, ``ill_defined`` rejects it.

    Raises:
        NotFound: There is no such task.
        LeaseLost: Somebody else has it, or the object was handed in anew.
        Refused: It is no verification, or there is no such verdict.
    """
    at = at or now()
    video = locked(db, Video, found(db, Task, task_id).video_id)
    if _handed_in(locked(db, Task, task_id), user, lease):
        return judged(db, task_id)
    task = check_lease(db, task_id, user, lease)
    row = judge(db, task, user.id, verdict, comment, frame, seconds, at)
    _done(db, task, user, seconds, at)
    if verdict == "unsatisfactory":
        stages.track_again(db, video, task.session_id, at)
    return row


def add_verify_tasks_for_automatic(db: Db, video_id: int, at: datetime | None = None) -> list[Task]:
    """Send masklets that a model proposed to verification, but for those that are there already.

    Raises:
        NotFound: There is no such video.
    """
    return stages.verify_proposals(db, locked(db, Video, video_id), at or now())


def tasks_of(
    db: Db,
    project_id: int,
    stage: Stage | None = None,
    state: TaskState | None = None,
    user_id: int | None = None,
    most: int = 500,
    at: datetime | None = None,
) -> list[Task]:
    """Tasks of a project as they are handed out: lowest priority, then oldest.

    Args:
        db: The transaction.
        project_id: The project.
        stage: Only of this stage.
        state: Only of this state; one whose lease ran out counts as open.
        user_id: Only those that this user has, or did.
        most: How many at most.
        at: The time.
    """
    query = select(Task).where(Task.project_id == project_id).order_by(Task.priority, Task.id).limit(most)
    if stage is not None:
        query = query.where(Task.stage == stage)
    if state == "open":
        query = query.where(_free(at or now()))
    elif state == "leased":
        query = query.where(Task.state == "leased", Task.lease_expires >= (at or now()))
    elif state is not None:
        query = query.where(Task.state == state)
    if user_id is not None:
        query = query.where(or_(Task.assignee_id == user_id, Task.done_by == user_id))
    return list(db.scalars(query))


def _free(at: datetime) -> ColumnElement[bool]:
    return or_(Task.state == "open", and_(Task.state == "leased", Task.lease_expires < at))


def _may_do(user: User, stage: Stage, settings: ProjectSettings) -> ColumnElement[bool]:
    """What the rules of the project let somebody do, beyond their role."""
    if stage == "verify" and not settings.own_review:
        return ~exists().where(Masklet.object_id == Task.object_id, Masklet.user_id == user.id)
    if stage == "track":
        other = aliased(Task)
        copies = other.video_id == Task.video_id, other.stage == "track", other.session_id != Task.session_id
        return ~exists().where(*copies, or_(other.assignee_id == user.id, other.done_by == user.id))
    return Task.id.is_not(None)


def _given(db: Db, task: Task, user: User, project: Project, at: datetime) -> Task:
    if task.assignee_id != user.id:
        task.started = at
    task.state, task.assignee_id, task.lease = "leased", user.id, secrets.token_hex(16)
    task.lease_expires = at + timedelta(seconds=ProjectSettings.of(project).lease_seconds)
    db.flush()
    return task


def _handed_in(task: Task, user: User, lease: str) -> bool:
    """Whether it was this very lease that handed the task in: the answer was lost on its way."""
    return task.state == "done" and task.done_by == user.id and task.lease == lease


def _done(db: Db, task: Task, user: User, seconds: float, at: datetime) -> None:
    # The lease stays, to know who sends the same again.
    task.state, task.done, task.done_by, task.assignee_id, task.lease_expires = "done", at, user.id, None, None
    task.seconds += duration(seconds)
    db.flush()
