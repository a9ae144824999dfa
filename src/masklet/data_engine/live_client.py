"""A live connection to the session of a task, which outlives the server it is connected to."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from .client_errors import PASSING, EngineError, ServerGone, pause

if TYPE_CHECKING:
    from .client import Client

_BEAT = 5.0  # seconds between heartbeats


@dataclass(frozen=True)
class Reply:
    """The answer to an action.

    Attributes:
        task: Id of the task.
        kind: What was done.
        name: The name of the action.
        body: What the server said.
        seconds: From sending it first to its answer, with all tries.
    """

    task: int
    kind: str
    name: str
    body: Mapping[str, Any]
    seconds: float


@dataclass
class _Waiting:
    """A message that is not answered yet."""

    message: dict[str, Any]
    answer: asyncio.Future[dict[str, Any]]


@dataclass
class Live:
    """The session of a task. Open it with :meth:`Client.live`.

    Attributes:
        client: Whose connection it is.
        task: The task with its lease.
        patience: Seconds for which a server that does not answer is tried again.
        state: What the server said last of the session.
        events: ``frame`` and ``finished`` of propagations, as they come.
        reconnected: How often the connection was made again.
    """

    client: Client
    task: Mapping[str, Any]
    patience: float
    state: dict[str, Any] = field(default_factory=dict)
    events: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    reconnected: int = 0
    _waiting: dict[int, _Waiting] = field(default_factory=dict)
    _numbers: int = 0
    _connection: ClientConnection | None = None
    _jobs: list[asyncio.Task[None]] = field(default_factory=list)
    _error: BaseException | None = None
    _told: bool = True  # whether the state is newer than the last propagation

    async def act(self, kind: str, *, seconds: float = 0.0, **body: Any) -> Reply:
        """Do something in the session, once.

        Args:
            kind: What: ``prompt``, ``mask``, ``propagate``, ...
            seconds: Time that it took the user.
            body: Its fields.

        Raises:
            EngineError: It was refused.
            ServerGone: The server has not come back.
        """
        name, started = str(uuid.uuid4()), time.monotonic()
        message = {"kind": kind, "name": name, "seconds": seconds, **body}
        self._told = self._told and kind != "propagate"
        answer = await self.ask(message)
        reply = Reply(self.task["id"], kind, name, answer, time.monotonic() - started)
        self.client.on_reply(reply)
        return reply

    async def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message and wait for its answer; again when the server was busy or away."""
        started, tries = time.monotonic(), 0
        while True:
            answer = await self._exchange(dict(message))
            if answer["ok"]:
                return answer
            if answer.get("kind") not in PASSING or time.monotonic() - started > self.patience:
                raise EngineError(answer["error"], answer.get("kind", "refused"))
            await asyncio.sleep(pause(tries))
            tries += 1

    async def masks(self, first: int, count: int) -> list[dict[str, Any]]:
        """Masks of all objects on some frames."""
        return (await self.ask({"kind": "masks", "first": first, "count": count}))["masks"]

    async def tracking(self) -> bool:
        """Whether a propagation is going on, as far as the server has said; what it has not said counts as yes."""
        return not self._told or self.state.get("running") is not None

    # The connection

    async def open(self) -> None:
        """Connect and begin to listen."""
        await self._connect()
        self._jobs = [asyncio.create_task(self._listen()), asyncio.create_task(self._beat())]

    async def close(self) -> None:
        """Close the connection; the lease stays until it is released, handed in or expires."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    async def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        if self._error is not None:
            raise self._error
        self._numbers += 1
        number = self._numbers
        waiting = _Waiting({"id": number, **message}, asyncio.get_running_loop().create_future())
        self._waiting[number] = waiting
        try:
            await self._send(waiting)
            return await waiting.answer
        finally:
            del self._waiting[number]

    async def _send(self, waiting: _Waiting) -> None:
        """Send now if there is a connection; whoever makes a new one sends what waits."""
        if self._connection is not None:
            with suppress(ConnectionClosed):
                await self._connection.send(json.dumps(waiting.message))

    async def _connect(self) -> None:
        """Connect, for as long as patience lasts.

        Raises:
            ServerGone: The server is not there.
            EngineError: It does not let us.
        """
        started, tries = time.monotonic(), 0
        while True:
            try:
                self._connection = await self._greeted()
                return
            except EngineError as error:
                if error.kind not in PASSING or time.monotonic() - started > self.patience:
                    raise
            except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError) as error:
                if time.monotonic() - started > self.patience:
                    raise ServerGone(f"{self.client.url} has not answered for {self.patience:.0f} s") from error
            await asyncio.sleep(pause(tries))
            tries += 1

    async def _greeted(self) -> ClientConnection:
        """A connection on which the server has said what the state is."""
        connection = await self.client.connected(f"/api/tasks/{self.task['id']}/live")
        try:
            await connection.send(json.dumps({"csrf": self.client.csrf, "lease": self.task["lease"]}))
            self._hear(json.loads(await connection.recv()))
            self._told = True
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _listen(self) -> None:
        """Hear what comes, and connect again when nothing does any more."""
        try:
            while True:
                assert self._connection is not None
                with suppress(ConnectionClosed):
                    async for text in self._connection:
                        self._hear(json.loads(text))
                self._connection = None
                await self._connect()
                self.reconnected += 1
                for waiting in list(self._waiting.values()):
                    await self._send(waiting)
        except (EngineError, ServerGone) as error:
            self._fail(error)

    def _hear(self, message: dict[str, Any]) -> None:
        """Take one message.

        Raises:
            EngineError: The server says that it has done with us.
        """
        if "reply" in message:
            waiting = self._waiting.get(message["reply"])
            if waiting is not None and not waiting.answer.done():
                waiting.answer.set_result(message)
            elif not message.get("ok", True) and waiting is None:
                raise EngineError(message["error"], message.get("kind", "refused"))
        elif message.get("event") == "lease_lost":
            raise EngineError("the lease of this task is lost: claim one again", "lease_lost")
        elif message.get("event") == "state":
            self.state = message
            self._told = self._told or message.get("running") is not None
        elif "event" in message:
            self.events.put_nowait(message)

    def _fail(self, error: BaseException) -> None:
        self._error = error
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
        self.events.put_nowait({"event": "closed"})

    async def _beat(self) -> None:
        """Keep the lease."""
        while self._error is None:
            await asyncio.sleep(_BEAT)
            with suppress(EngineError, ServerGone):
                await self.ask({"kind": "heartbeat"})
