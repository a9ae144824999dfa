"""Live connections: who may have one. What is said on them is in :mod:`.live_connection`."""

from __future__ import annotations

import anyio
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

from . import session_actions, tasks
from .callers import Caller, admitted
from .database import Db, found
from .fields import LARGEST
from .live_connection import LiveConnection, problem_of
from .live_messages import Hello
from .problems import Rejected
from .schema import User
from .serving import Serving, serving_of

router = APIRouter()

_HELLO_WITHIN = 10.0  # seconds
_SIGNED_OUT, _REFUSED = 4401, 4403  # codes of the end, beside the usual ones


@router.websocket("/api/tasks/{task_id}/live")
async def live(socket: WebSocket, task_id: int) -> None:
    """Act in the session of a task, or look on."""
    serving = serving_of(socket)
    await socket.accept()
    try:
        connection = await _admitted(socket, serving, task_id)
    except WebSocketDisconnect:
        return
    except Exception as error:  # noqa: BLE001  whatever it is, the client is told
        problem = problem_of(error)
        await socket.send_json({"reply": None, "ok": False, **problem.model_dump()})
        await socket.close(_SIGNED_OUT if problem.kind in ("unauthenticated", "token") else _REFUSED)
        return
    with serving.metrics.live.track_inprogress():
        await connection.run()


async def _admitted(socket: WebSocket, serving: Serving, task_id: int) -> LiveConnection:
    """Find out who it is and what they may see and do."""
    caller = await run_in_threadpool(admitted, serving, socket)
    caller.check("see")
    with anyio.move_on_after(_HELLO_WITHIN) as waited:
        hello = Hello.model_validate_json(await socket.receive_text())
    if waited.cancelled_caught:
        raise Rejected("invalid", "the first message, with csrf and lease, did not come")
    caller.check_csrf(hello.csrf)
    if not 1 <= task_id <= LARGEST:
        raise Rejected("not_found", f"there is no task {task_id}")
    if hello.lease is not None:
        await run_in_threadpool(serving.write, _check, task_id, caller, hello.lease)
    session = await run_in_threadpool(serving.read, session_actions.session_of, task_id)
    return LiveConnection(socket, serving, caller, task_id, session.id, hello.lease)


def _check(db: Db, task_id: int, caller: Caller, lease: str) -> None:
    tasks.check_lease(db, task_id, found(db, User, caller.id), lease)
