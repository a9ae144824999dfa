"""Handing in a task of tracking: which objects it is about, and their masklets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from .actions import EDITS, PROMPTS, actions_of
from .database import Db, found
from .errors import Refused
from .objects import add_object, objects_of
from .project_settings import ProjectSettings
from .schema import Action, Judgement, Masklet, Object, Project, Session, Task, Video
from .stored_masks import StoredMask, annotated, store_masklet
from .taken_out import taken_out


@dataclass(frozen=True)
class HandedIn:
    """What was handed in.

    Attributes:
        objects: Objects that have a new masklet.
        returned_meanwhile: Whether an object was sent back while somebody worked on the task and did not look at it.
    """

    objects: list[Object]
    returned_meanwhile: bool


def hand_in(
    db: Db, task: Task, video: Video, user_id: int, masklets: Mapping[int, Sequence[StoredMask]], at: datetime
) -> HandedIn:
    """Store the masklets of the objects that a task is about; the caller holds the task and the video.

    These are the ones that were selected or sent back, and others that were edited all the same.

    Args:
        db: The transaction.
        task: The task.
        video: Its video.
        user_id: Who hands it in.
        masklets: Masks by number of the object, on any frames.
        at: The time.

    Raises:
        Refused: Nothing was annotated, or an object has no mask.
    """
    known = {target.number for target in objects_of(db, video.id, removed=True)}
    for number in sorted(masklets.keys() - known):  # its row was lost with a server
        add_object(db, video.id, user_id, number=number, at=at)
    done = [action for action in actions_of(db, session_id=task.session_id) if action.state == "done"]
    touched = _touched(action for action in done if action.task_id == task.id)
    back = _returned(db, task, video)
    here = {*db.scalars(select(Masklet.object_id).where(Masklet.session_id == task.session_id))}
    gone = taken_out(db, task.session_id)
    due, meanwhile = [], False
    for target in objects_of(db, video.id):
        if target.number in gone:
            mine = False
        elif target.number in touched:
            mine = target.state != "ill_defined"
        elif target.id in back:
            mine = task.started is not None and back[target.id] <= task.started
            meanwhile = meanwhile or not mine
        elif target.state == "selected":
            mine = _is_in_session(db, task, target)
        else:  # tracked by another annotator before
            mine = target.state == "tracked" and target.id not in here and target.number in masklets
        due += [target] if mine else []
    every = found(db, Project, video.project_id).every
    kept = {target.id: annotated(masklets.get(target.number, ()), every) for target in due}
    missing = [str(target.number) for target in due if not kept[target.id]]
    if missing:
        raise Refused(f"object {', '.join(missing)} has no mask on a frame to be annotated: track or remove it")
    if not due and task.round == 1 and not gone:
        raise Refused("nothing was annotated: add an object, or release the task")
    for target in due:
        frames = {mask.frame for mask in kept[target.id]}
        edits = [action for action in done if action.number == target.number and action.kind in PROMPTS]
        store_masklet(
            db,
            target.id,
            kept[target.id],
            session_id=task.session_id,
            task_id=task.id,
            user_id=user_id,
            edited=len(frames & {action.frame for action in edits}),
            clicks=sum(action.clicks for action in edits),
            at=at,
        )
    return HandedIn(due, meanwhile)


def _touched(actions: Iterable[Action]) -> set[int | None]:
    """Numbers of the objects whose masks were edited."""
    edits = [action for action in actions if action.kind in EDITS]
    return {action.number for action in edits} | {action.body.get("other") for action in edits}


def _returned(db: Db, task: Task, video: Video) -> dict[int, datetime]:
    """Objects that verification sent back to the session of a task, and when."""
    last: dict[int, tuple[Task, datetime]] = {}
    query = select(Task, Judgement.created).join(Judgement, Judgement.task_id == Task.id)
    query = query.where(Task.video_id == video.id, Task.stage == "verify", Judgement.verdict.is_not(None))
    for verified, when in db.execute(query.order_by(Judgement.id)):
        last[verified.object_id or 0] = verified, when
    # A model's own masklets, of no session, are corrected in the first one.
    mine = {task.session_id, None} if _copy(db, task) == 0 else {task.session_id}
    states = {target.id: target.state for target in objects_of(db, video.id)}
    return {
        i: when
        for i, (verified, when) in last.items()
        if states.get(i) == "unsatisfactory" and verified.session_id in mine
    }


def _is_in_session(db: Db, task: Task, target: Object) -> bool:
    """Whether a selected object is in the session: of several copies one may have objects that the others lack."""
    alone = ProjectSettings.of(found(db, Project, task.project_id)).annotators == 1
    return alone or target.created <= task.created


def _copy(db: Db, task: Task) -> int:
    return 0 if task.session_id is None else found(db, Session, task.session_id).copy
