"""Tasks: taking one, staying with it, handing it in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from sqlalchemy import select

from . import tasks
from .callers import Caller, Sees, Verifies, Works
from .database import Db, found
from .fields import Body, Comment, Frame, Id, Lease, LeaseBody, LimitQuery, Seconds
from .hand_over import collected, hand_over
from .problems import ALWAYS, problems
from .schema import Object, Project, Stage, Task, TaskState, User, Verdict, Video, VideoState
from .serving import Parts

router = APIRouter(prefix="/api", tags=["tasks"], responses=problems(*ALWAYS, 404))


class TaskVideo(BaseModel):
    """The video of a task."""

    id: int
    name: str
    width: int | None
    height: int | None
    frames: int | None
    fps: float | None
    state: VideoState


class TaskObject(BaseModel):
    """The object of a verification."""

    id: int
    number: int
    name: str
    colour: str


class TaskAnswer(BaseModel):
    """A task; ``lease`` is for whoever has it only."""

    id: int
    project: int
    video: TaskVideo
    object: TaskObject | None
    stage: Stage
    state: TaskState
    round: int
    priority: float
    lease: str | None
    lease_expires: datetime | None
    assignee: str | None
    done_by: str | None
    seconds: float
    created: datetime
    done: datetime | None


class ClaimBody(Body):
    """What one wants to do."""

    stage: Stage


class SubmitBody(Body):
    """Handing a task in; ``seconds``: work since the last action."""

    lease: Lease
    seconds: Seconds = 0.0


class VerdictBody(Body):
    """The end of a verification; ``frame`` where the comment is about one."""

    lease: Lease
    verdict: Verdict
    comment: Comment = ""
    frame: Frame | None = None
    seconds: Seconds = 0.0


class Expires(BaseModel):
    """When the lease runs out now."""

    lease_expires: datetime


@router.get("/projects/{project_id}/tasks")
def tasks_of(
    project_id: Id,
    caller: Sees,
    serving: Parts,
    stage: Annotated[Stage | None, Query()] = None,
    state: Annotated[TaskState | None, Query()] = None,
    mine: bool = False,
    limit: LimitQuery = 500,
) -> list[TaskAnswer]:
    """Tasks as they are handed out: worst first, then oldest. One whose lease ran out counts as open."""

    def answers(db: Db) -> list[TaskAnswer]:
        found(db, Project, project_id)
        rows = tasks.tasks_of(db, project_id, stage, state, caller.id if mine else None, limit)
        return _answers(db, rows, caller)

    return serving.read(answers)


@router.post(
    "/projects/{project_id}/claim",
    response_model=TaskAnswer,
    responses={204: {"description": "There is nothing to do."}},
)
def claim(project_id: Id, body: ClaimBody, caller: Works, serving: Parts) -> TaskAnswer | Response:
    """Take the best task of a stage."""

    def take(db: Db) -> TaskAnswer | None:
        task = tasks.claim(db, _user(db, caller), project_id, body.stage)
        return None if task is None else _answer(db, task, caller)

    answer = serving.write(take)
    return Response(status_code=204) if answer is None else answer


@router.post("/tasks/{task_id}/claim", responses=problems(409))
def claim_task(task_id: Id, caller: Works, serving: Parts) -> TaskAnswer:
    """Take this task, if it is free or one's own."""
    return serving.write(lambda db: _answer(db, tasks.claim_task(db, _user(db, caller), task_id), caller))


@router.get("/tasks/{task_id}")
def task(task_id: Id, caller: Sees, serving: Parts) -> TaskAnswer:
    """A task."""
    return serving.read(lambda db: _answer(db, found(db, Task, task_id), caller))


@router.post("/tasks/{task_id}/heartbeat", responses=problems(409))
def heartbeat(task_id: Id, body: LeaseBody, caller: Works, serving: Parts) -> Expires:
    """Say that one is still there."""
    beat = serving.write(lambda db: tasks.heartbeat(db, task_id, _user(db, caller), body.lease))
    return Expires(lease_expires=beat)


@router.post("/tasks/{task_id}/release", responses=problems(409))
def release(task_id: Id, body: LeaseBody, caller: Works, serving: Parts) -> TaskAnswer:
    """Give a task back; what was done stays."""
    return serving.write(lambda db: _answer(db, tasks.release(db, task_id, _user(db, caller), body.lease), caller))


@router.post("/tasks/{task_id}/submit", responses=problems(409))
async def submit(task_id: Id, body: SubmitBody, caller: Works, serving: Parts) -> TaskAnswer:
    """Hand a selection or tracking in; sent again, it is answered again."""
    masklets = await collected(serving, task_id, caller, body.lease)

    def end(db: Db) -> TaskAnswer:
        hand_over(db, serving.workspace, task_id, _user(db, caller), body.lease, masklets, body.seconds)
        return _answer(db, found(db, Task, task_id), caller)

    return await run_in_threadpool(serving.write, end)


@router.post("/tasks/{task_id}/verdict", responses=problems(409))
def verdict(task_id: Id, body: VerdictBody, caller: Verifies, serving: Parts) -> TaskAnswer:
    """Judge the object of a verification; sent again, it is answered again."""

    def judge(db: Db) -> TaskAnswer:
        user = _user(db, caller)
        tasks.verdict(db, task_id, user, body.lease, body.verdict, body.comment, body.frame, body.seconds)
        return _answer(db, found(db, Task, task_id), caller)

    return serving.write(judge)


def _user(db: Db, caller: Caller) -> User:
    return found(db, User, caller.id)


def _answer(db: Db, row: Task, caller: Caller) -> TaskAnswer:
    return _answers(db, [row], caller)[0]


def _answers(db: Db, rows: list[Task], caller: Caller) -> list[TaskAnswer]:
    """Many at once: what they refer to is read by three queries."""
    videos = _by_id(db, Video, {row.video_id for row in rows})
    objects = _by_id(db, Object, {row.object_id for row in rows})
    users = _by_id(db, User, {user for row in rows for user in (row.assignee_id, row.done_by)})
    names = {i: user.name for i, user in users.items()}
    return [_made(row, videos[row.video_id], objects.get(row.object_id), names, caller) for row in rows]


def _by_id(db: Db, kind: type, ids: set) -> dict:
    wanted = sorted(i for i in ids if i is not None)
    return {row.id: row for row in db.scalars(select(kind).where(kind.id.in_(wanted)))} if wanted else {}


def _made(row: Task, video: Video, target: Object | None, names: dict[int, str], caller: Caller) -> TaskAnswer:
    mine = row.state == "leased" and row.assignee_id == caller.id
    about = None
    if target is not None:
        about = TaskObject(id=target.id, number=target.number, name=target.name, colour=target.colour)
    return TaskAnswer(
        id=row.id,
        project=row.project_id,
        video=TaskVideo(
            id=video.id,
            name=video.name,
            width=video.width,
            height=video.height,
            frames=video.frames,
            fps=video.fps,
            state=video.state,  # type: ignore[arg-type]
        ),
        object=about,
        stage=row.stage,  # type: ignore[arg-type]
        state=row.state,  # type: ignore[arg-type]
        round=row.round,
        priority=row.priority,
        lease=row.lease if mine else None,
        lease_expires=row.lease_expires,
        assignee=None if row.assignee_id is None else names[row.assignee_id],
        done_by=None if row.done_by is None else names[row.done_by],
        seconds=row.seconds,
        created=row.created,
        done=row.done,
    )
