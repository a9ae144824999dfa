"""What is said on a live connection, through which an annotator acts in the session of a task and sees what happens.

The first message was ``{"csrf", "lease"}``; without a lease one only looks on. Then each message has an ``id`` and a
``kind`` (:mod:`.live_messages`) and is answered by ``{"reply": id, "ok": true, ..., "ms"}`` or ``{"reply": id,
"ok": false, "error", "kind"}``. Actions are done in their order; an answer means that the action is in the session's
file and in the log. Events are ``state``, ``frame``, ``finished`` and ``lease_lost``.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from . import session_actions, tasks
from .callers import Caller, identify
from .database import Db, found
from .errors import LeaseLost
from .listener import Listener
from .live_messages import (
    Absent,
    Action,
    Heartbeat,
    MaskPrompt,
    Merge,
    Message,
    ObjectAdd,
    ObjectChange,
    ObjectRemove,
    Prompt,
    Reading,
    Redo,
    Split,
    Stop,
    Undo,
)
from .model_pool import Busy
from .problems import FAILED, Problem, Rejected, rejection
from .schema import User
from .serving import Serving
from .session_actions import Begun
from .session_requests import ask

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_WAITING = 8
"""Actions of a connection that may wait."""
LOOK_EVERY = 5.0
"""Seconds after which it is looked again whether lease and sign-in hold."""
_MOST_READS = 16
_SIGNED_OUT, _REFUSED = 4401, 4403
_FINISH_WITHIN = 60.0  # seconds: what is begun is finished, though nobody listens any more
_CHANGES_OBJECTS = (ObjectAdd, ObjectChange, ObjectRemove, Merge, Split, Undo, Redo)


class LiveConnection:
    """One page at work.

    Args:
        socket: Its WebSocket, accepted.
        serving: The server.
        caller: Whose it is.
        task_id: The task.
        session_id: Its session.
        lease: The right to act; None: only to look on.
    """

    def __init__(
        self, socket: WebSocket, serving: Serving, caller: Caller, task_id: int, session_id: int, lease: str | None
    ) -> None:
        self._socket, self._serving, self._caller = socket, serving, caller
        self._task_id, self._session_id, self._lease = task_id, session_id, lease
        self._sending = anyio.Lock()
        self._scope = anyio.CancelScope()
        self._reads = 0

    async def run(self) -> None:
        """Until the page goes away."""
        queued, actions = anyio.create_memory_object_stream[tuple[Action, float]](MOST_WAITING)
        async with self._serving.pool.events(self._session_id) as events, queued, actions:
            try:
                await self._tell_state()
            except Exception as error:  # noqa: BLE001  what is wrong with a session is said; the page asks again later
                await self._say({"reply": None, "ok": False, **problem_of(error).model_dump()})
                await self._close(_REFUSED)
                return
            async with anyio.create_task_group() as group:
                self._scope = group.cancel_scope
                group.start_soon(self._hand_on, events)
                group.start_soon(self._watch)
                group.start_soon(self._act_in_order, actions)
                with suppress(WebSocketDisconnect):
                    await self._listen(group, queued)
                group.cancel_scope.cancel()

    # What comes

    async def _listen(self, group: TaskGroup, queued: MemoryObjectSendStream[tuple[Action, float]]) -> None:
        while True:
            text = await self._socket.receive_text()
            arrived = time.perf_counter()
            try:
                self._serving.requests.take(("user", self._caller.id))
                message = Message.validate_json(text)
            except (ValidationError, Rejected) as error:
                await self._answer(_id_of(text), problem_of(error), arrived)
                continue
            if isinstance(message, (Heartbeat, Stop)):  # they do not wait behind others
                group.start_soon(self._answered, message, arrived)
            elif isinstance(message, Reading):
                if self._reads >= _MOST_READS:
                    await self._answer(
                        message.id, Problem(error="too much is asked at once: try again", kind="busy"), arrived
                    )
                else:
                    self._reads += 1
                    group.start_soon(self._read, message, arrived)
            else:
                try:
                    queued.send_nowait((message, arrived))
                except anyio.WouldBlock:
                    busy = f"{MOST_WAITING} actions wait already: try again in a moment"
                    await self._answer(message.id, Problem(error=busy, kind="busy"), arrived)

    async def _act_in_order(self, actions: MemoryObjectReceiveStream[tuple[Action, float]]) -> None:
        async for action, arrived in actions:
            await self._answered(action, arrived)

    async def _read(self, message: Reading, arrived: float) -> None:
        try:
            await self._answered(message, arrived)
        finally:
            self._reads -= 1

    async def _answered(self, message: Reading | Heartbeat | Action, arrived: float) -> None:
        outcome: dict[str, Any] | Problem
        try:
            if isinstance(message, Heartbeat):
                outcome = await self._beat()
            elif isinstance(message, Reading):
                body = message.model_dump(exclude={"id", "kind"}, exclude_none=True)
                outcome = await ask(self._serving.pool, self._session_id, {"do": message.kind, **body})
            else:
                with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _FINISH_WITHIN):
                    outcome = await self._act(message)
        except Exception as error:  # noqa: BLE001  whatever it is, the page must not wait for ever
            outcome = problem_of(error)
        if not isinstance(message, (Heartbeat, Reading)):
            ended = outcome.kind if isinstance(outcome, Problem) else "done"
            self._serving.metrics.actions.labels(message.kind, ended).observe(time.perf_counter() - arrived)
        await self._answer(message.id, outcome, arrived)

    # What is done

    async def _act(self, action: Action) -> dict[str, Any]:
        if self._lease is None:
            raise LeaseLost("the task is not yours: take it first")
        begun = await self._write(session_actions.begin, self._task_id, self._caller, self._lease, action)
        if begun.state == "refused":
            raise Rejected("refused", begun.error or "it was refused before")
        if begun.state == "done":
            return {**_numbers(action, begun), "mask": await self._mask(action)}
        try:
            reply = await ask(self._serving.pool, self._session_id, begun.message)
        except Rejected as error:
            if error.kind in ("refused", "not_found"):
                await self._write(session_actions.refuse, self._task_id, begun, action, error.sentence)
            raise
        await self._write(session_actions.finish, self._task_id, begun, action, reply.get("undone"))
        if isinstance(action, _CHANGES_OBJECTS):
            with suppress(Rejected, Busy):
                await self._tell_state()  # the worker told of it before the rows were changed
        return {**_numbers(action, begun), **{name: value for name, value in reply.items() if name != "ok"}}

    async def _mask(self, action: Action) -> dict[str, Any] | None:
        """The mask that an action made, which was done before."""
        if not isinstance(action, (Prompt, MaskPrompt, Absent)):
            return None
        asked = {"do": "masks", "first": action.frame, "count": 1}
        masks = (await ask(self._serving.pool, self._session_id, asked))["masks"]
        return next((one for one in masks if one["object"] == action.object), None)

    async def _beat(self) -> dict[str, Any]:
        if self._lease is None:
            raise LeaseLost("the task is not yours: take it first")
        expires = await self._write(_heartbeat, self._task_id, self._caller, self._lease)
        return {"lease_expires": expires.isoformat()}

    # What is said

    async def _hand_on(self, events: Listener) -> None:
        """Events of the session; a page that does not read makes tracking wait."""
        async for event in events:
            if event["event"] == "state":
                await self._say({"event": "state", **event["state"]})
            elif event["event"] in ("frame", "finished"):
                if event["event"] == "frame":
                    self._serving.metrics.frames.inc()
                await self._say(event)

    async def _tell_state(self) -> None:
        reply = await ask(self._serving.pool, self._session_id, {"do": "state"})
        await self._say({"event": "state", **reply["state"]})

    async def _watch(self) -> None:
        """Say when the lease is lost, and end with the sign-in."""
        while True:
            await anyio.sleep(LOOK_EVERY)
            try:
                if not await run_in_threadpool(self._is_signed_in):
                    await self._close(_SIGNED_OUT)
                    return
                if self._lease is not None:
                    await self._write(_check, self._task_id, self._caller, self._lease)
            except (LeaseLost, LookupError):
                await self._lose()
            except Exception:
                log.warning("could not look after the lease of task %d", self._task_id, exc_info=True)

    def _is_signed_in(self) -> bool:
        return identify(self._serving, self._socket) is not None

    async def _lose(self) -> None:
        if self._lease is not None:
            self._lease = None
            await self._say({"event": "lease_lost"})

    async def _answer(self, to: int | None, outcome: dict[str, Any] | Problem, arrived: float) -> None:
        took = {"ms": round(1000 * (time.perf_counter() - arrived), 1)}
        if isinstance(outcome, Problem):
            await self._say({"reply": to, "ok": False, **outcome.model_dump(), **took})
            if outcome.kind == "lease_lost":
                await self._lose()
        else:
            await self._say({"reply": to, "ok": True, **outcome, **took})

    async def _say(self, message: dict[str, Any]) -> None:
        async with self._sending:
            try:
                await self._socket.send_text(json.dumps(message, separators=(",", ":")))
            except (WebSocketDisconnect, RuntimeError, OSError):  # it is gone, or closed
                self._scope.cancel()

    async def _close(self, code: int) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            await self._socket.close(code)
        self._scope.cancel()

    async def _write(self, function: Callable[..., T], *args: Any) -> T:
        return await run_in_threadpool(self._serving.write, function, *args)


def problem_of(error: Exception) -> Problem:
    """What a client is told of an error; one of ours is logged."""
    rejected = rejection(error)
    if rejected is None:
        log.error("a live connection failed", exc_info=error)
        rejected = Rejected("failed", FAILED)
    return rejected.problem


def _id_of(text: str) -> int | None:
    """The id of a message that is not well formed otherwise."""
    try:
        found_id = json.loads(text)["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found_id if type(found_id) is int else None


def _numbers(action: Action, begun: Begun) -> dict[str, Any]:
    """Numbers that the server chose."""
    if isinstance(action, ObjectAdd):
        return {"object": begun.number}
    return {"other": begun.message["other"]} if isinstance(action, Split) else {}


def _check(db: Db, task_id: int, caller: Caller, lease: str) -> None:
    tasks.check_lease(db, task_id, found(db, User, caller.id), lease)


def _heartbeat(db: Db, task_id: int, caller: Caller, lease: str) -> Any:
    return tasks.heartbeat(db, task_id, found(db, User, caller.id), lease)
