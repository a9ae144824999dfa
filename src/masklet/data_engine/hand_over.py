"""What is done when a task of selection or tracking ends: its masks are fetched, and copies of its session made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi.concurrency import run_in_threadpool

from . import tasks
from .callers import Caller
from .database import Db, found
from .model_pool import handed_in
from .schema import Project, Task, User
from .serving import Serving
from .session_requests import ask
from .stored_masks import StoredMask
from .workspace import Workspace

Masklets = Mapping[int, Sequence[StoredMask]]


async def collected(serving: Serving, task_id: int, caller: Caller, lease: str) -> Masklets:
    """Masks of all objects of the session of a task, if it is tracking and theirs; nothing else has any to hand in."""
    session, every = await run_in_threadpool(serving.write, _session_to_collect, task_id, caller.id, lease)
    if session is None:
        return {}
    reply = await ask(serving.pool, session, {"do": "collect", "every": every})
    return handed_in(reply)


def hand_over(
    db: Db, workspace: Workspace, task_id: int, user: User, lease: str, masklets: Masklets, seconds: float
) -> None:
    """End a task; copies of its session are made before anybody can see that they are wanted."""
    submitted = tasks.submit(db, task_id, user, lease, masklets, seconds)
    for key, to in submitted.new_sessions:
        if not workspace.session(to).exists():
            workspace.copy_session(key, to)


def _session_to_collect(db: Db, task_id: int, user_id: int, lease: str) -> tuple[int | None, int]:
    task = found(db, Task, task_id)
    every = found(db, Project, task.project_id).every
    if task.stage != "track" or task.state != "leased" or task.session_id is None:
        return None, every
    tasks.check_lease(db, task_id, found(db, User, user_id), lease)
    return task.session_id, every
