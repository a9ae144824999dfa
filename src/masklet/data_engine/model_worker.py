"""A model worker: hosts sessions with one copy of each model, for servers that ask over a WebSocket.

Messages are JSON objects, many at a time over one connection. ``{"id", "do", "session", ...}`` is answered by ``{"id",
"ok": true, ...}`` or ``{"id", "ok": false, "kind", "error"}``; ``do`` is ``open`` (with ``key``, ``pack``, ``phase``,
``model`` and ``epoch``), ``close``, or one of REQUESTS, which are methods of
:class:`~masklet.data_engine.hosted_session.HostedSession`. Who opened a session is told of its events: ``{"session",
"event": "state" | "frame" | "finished" | "closed", ...}``. ``{"do": "more", "session", "count"}``, which is not
answered, says that so many of the frames told were read: tracking waits for who is far behind.
A session is written to by one process only: who has it holds its lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from sqlalchemy import null, update
from sqlalchemy.exc import SQLAlchemyError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ..inference.options import SessionOptions
from ..inference.scheduler import Scheduler
from ..inference.session import VideoSession
from ..model.sam2 import Sam2
from ..video.frames import FrameSource
from . import workers
from .bodies import number
from .database import Database, Db, found
from .errors import NotFound
from .frame_pack import FramePack
from .hosted_session import HostedSession, Subscriber
from .objects import objects_of
from .phases import Annotating
from .schema import Session
from .session_lock import SessionLock
from .session_view import with_rows
from .taken_out import taken_out
from .workspace import Workspace

log = logging.getLogger(__name__)

BEAT = 2.0
"""Seconds between heartbeats."""
LARGEST_MESSAGE = 64 * 2**20
REQUESTS = ("act", "propagate", "stop", "look", "state", "masks", "scores", "suggest", "collect")
_OPTIONS = SessionOptions(undo_mb=64.0)


class Moved(Exception):
    """The session is another worker's."""


class ModelWorker:
    """Hosts sessions; :meth:`serve` runs it.

    Args:
        workspace: Where frames and sessions are.
        database: Where it announces itself.
        worker_id: Its name there.
        token: What servers must know.
        load: Gives a model by the name that projects know it by.
        most_sessions: Sessions open at a time; the one that was used longest ago is closed for another.
        idle: Seconds after which a session that nobody asks about is closed.
    """

    def __init__(
        self,
        workspace: Workspace,
        database: Database,
        worker_id: str,
        token: str,
        load: Callable[[str], Sam2],
        most_sessions: int = 32,
        idle: float = 300.0,
    ) -> None:
        self.worker_id = worker_id
        self._workspace, self._database, self._token, self._load = workspace, database, token, load
        self._most_sessions, self._idle = most_sessions, idle
        self._scheduler = Scheduler()
        self._models: dict[str, Sam2] = {}
        self._loading = asyncio.Lock()
        self._hosted: dict[int, asyncio.Task[_Hosted]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def serve(
        self,
        stop: asyncio.Event,
        host: str = "127.0.0.1",
        port: int = 0,
        address: str | None = None,
        ready: Callable[[str], object] | None = None,
    ) -> None:
        """Serve until it is stopped; then everything is saved, and propagations go on elsewhere.

        Args:
            stop: Set to stop it.
            host: Address to listen on.
            port: Port; 0: a free one.
            address: Where servers reach it; None: by host and port.
            ready: Called with that address.
        """
        options: Any = {"max_size": LARGEST_MESSAGE, "compression": None, "process_request": self._checked}
        async with serve(self._connection, host, port, **options) as server:
            address = address or _address_of(server)
            await self._in_database(workers.announce, self.worker_id, address)
            if ready is not None:
                ready(address)
            while not stop.is_set():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stop.wait(), BEAT)
                await self._beat(address)
            await asyncio.gather(*(self._close(i, "stopped") for i in list(self._hosted)), return_exceptions=True)
            await self._in_database(workers.leave, self.worker_id)
        await asyncio.to_thread(self._scheduler.close, cancel=True)

    # Connections

    def _checked(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse who does not know the token."""
        given = request.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "a model worker is asked by its server only\n")

    async def _connection(self, connection: ServerConnection) -> None:
        try:
            async for text in connection:
                task = asyncio.create_task(self._answer(connection, text))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except ConnectionClosed:
            pass
        finally:
            for hosted in self._opened():
                hosted.session.leave(connection)

    async def _answer(self, connection: ServerConnection, text: str | bytes) -> None:
        try:
            message = json.loads(text)
            assert isinstance(message, dict)
        except (ValueError, AssertionError):
            await connection.close(1007, "expected JSON objects")
            return
        if message.get("do") == "more":
            self._more(connection, message)
            return
        reply = await self._reply(connection, message)
        if "error" in reply:  # no path of this machine leaves it
            reply["error"] = reply["error"].replace(str(self._workspace.root), "workspace")
        with contextlib.suppress(ConnectionClosed):
            await connection.send(json.dumps({"id": message.get("id"), **reply}))

    async def _reply(self, connection: ServerConnection, message: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._do(connection, message)
        except Moved as error:
            return _refusal("moved", str(error))
        except LookupError as error:
            return _refusal("not_found", str(error.args[0]) if error.args else str(error))
        except (ValueError, TypeError) as error:
            return _refusal("refused", str(error))
        except Exception as error:  # whatever it is, who asked must not wait for ever
            log.exception("%s of session %s failed", message.get("do"), message.get("session"))
            return _refusal("failed", f"the model worker could not do this ({type(error).__name__}): try again")

    async def _do(self, connection: ServerConnection, message: dict[str, Any]) -> dict[str, Any]:
        do, i = message.get("do"), number(message, "session")
        if do == "open":
            return await self._open(connection, i, message)
        if do == "close":
            await self._close(i, "asked")
            return {"ok": True}
        if do not in REQUESTS:
            raise ValueError(f"unknown request {do!r:.40}: expected open, close or one of {', '.join(REQUESTS)}")
        task = self._hosted.get(i)
        if task is None:
            return _refusal("closed", f"session {i} is not open: open it first")
        hosted = await asyncio.shield(task)
        hosted.used = time.monotonic()
        return await getattr(hosted.session, do)(message)

    def _more(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        i, count = message.get("session"), message.get("count", 1)
        for hosted in self._opened():
            if hosted.id == i and isinstance(count, int):
                hosted.session.more(connection, count)

    # Sessions

    def _opened(self) -> list[_Hosted]:
        return [t.result() for t in self._hosted.values() if t.done() and not t.cancelled() and t.exception() is None]

    async def _open(self, connection: ServerConnection, i: int, message: dict[str, Any]) -> dict[str, Any]:
        epoch = number(message, "epoch")
        if not await self._in_database(workers.has_session, i, self.worker_id, epoch):
            raise Moved(f"session {i} is no longer this worker's")
        if i not in self._hosted:
            self._hosted[i] = asyncio.create_task(self._host(i, message))
        try:
            hosted = await asyncio.shield(self._hosted[i])
        except BaseException:
            if i in self._hosted and self._hosted[i].done():
                del self._hosted[i]
            raise
        hosted.epoch, hosted.used = epoch, time.monotonic()

        async def send(event: dict[str, Any]) -> None:
            try:
                await connection.send(json.dumps({"session": i, **event}))
            except ConnectionClosed as error:
                raise ConnectionError from error

        hosted.session.subscribers.setdefault(connection, Subscriber(send))
        hosted.session.go_on()
        return await hosted.session.state(message)

    async def _host(self, i: int, message: dict[str, Any]) -> _Hosted:
        await self._make_room()
        path = self._workspace.session(str(message.get("key")))
        lock = await asyncio.to_thread(self._locked, i, path)
        try:
            model = await self._model(str(message.get("model")))
            session = await asyncio.to_thread(_session, path, self._workspace.pack(str(message.get("pack"))), model)
            annotating = Annotating(session, message.get("phase"))  # pyright: ignore[reportArgumentType]  it checks
            hosted = HostedSession(annotating, path, self._scheduler, partial(self._note_running, i))
        except BaseException:
            lock.close()
            raise
        hosted.describe = partial(self._described, i)
        return _Hosted(i, hosted, lock)

    def _locked(self, i: int, path: Any) -> SessionLock:
        try:
            return SessionLock(path)
        except BlockingIOError as error:
            raise Moved(f"session {i} is open in another worker") from error

    async def _model(self, name: str) -> Sam2:
        async with self._loading:
            if name not in self._models:
                self._models[name] = await asyncio.to_thread(self._load, name)
            return self._models[name]

    async def _make_room(self) -> None:
        opened = sorted(self._opened(), key=lambda hosted: hosted.used)
        free = [one for one in opened if one.session.running is None and not one.session.waiting]
        for one in free[: max(0, len(self._hosted) - self._most_sessions)]:
            await self._close(one.id, "room")

    async def _close(self, i: int, why: str) -> None:
        """Close a session; it is opened again only after that."""
        task = self._hosted.get(i)
        if task is None:
            return
        hosted = await asyncio.shield(task)
        if self._hosted.get(i) is not task:  # it was closed meanwhile
            return
        del self._hosted[i]
        try:
            await hosted.session.close(why)
        finally:
            hosted.lock.close()

    # The database

    async def _in_database(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(self._database.run, function, *args)

    async def _beat(self, address: str) -> None:
        """Say that it is there, and close what is another's or idle."""
        opened = self._opened()
        waiting = sum(one.session.waiting for one in opened)
        try:
            if not await self._in_database(workers.beat, self.worker_id, len(opened), waiting):
                await self._in_database(workers.announce, self.worker_id, address)
            kept = await self._in_database(_still, self.worker_id, [(one.id, one.epoch) for one in opened])
        except SQLAlchemyError as error:
            log.warning("the database does not answer: %s", error)
            return
        now = time.monotonic()
        for one in opened:
            idle = now - one.used > self._idle and one.session.running is None and not one.session.waiting
            if one.id not in kept or idle:
                await self._close(one.id, "idle" if one.id in kept else "moved")

    async def _note_running(self, i: int, run: dict[str, Any] | None) -> None:
        await self._in_database(_note_running, i, self.worker_id, run)

    async def _described(self, i: int, state: dict[str, Any]) -> dict[str, Any]:
        return with_rows(state, await self._in_database(_objects, i))


class _Hosted:
    """A session that is open, and since when nobody asked about it."""

    def __init__(self, i: int, session: HostedSession, lock: SessionLock) -> None:
        self.id, self.session, self.lock = i, session, lock
        self.epoch, self.used = 0, time.monotonic()


def _session(path: Any, pack: Any, model: Sam2) -> VideoSession:
    """The session of a file, or a new one."""
    source = FrameSource(FramePack(pack))
    try:
        if path.exists():
            return VideoSession.load(path, source, model, autosave=True)
        return VideoSession(source, model, options=_OPTIONS, autosave=path)
    except BaseException:
        source.close()
        raise


def _refusal(kind: str, error: str) -> dict[str, Any]:
    return {"ok": False, "kind": kind, "error": error}


def _address_of(server: Server) -> str:
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"


def _still(db: Db, worker_id: str, sessions: list[tuple[int, int]]) -> set[int]:
    """Of sessions and epochs those that are still the worker's."""
    kept = set()
    for i, epoch in sessions:
        with contextlib.suppress(NotFound):
            if workers.has_session(db, i, worker_id, epoch):
                kept.add(i)
    return kept


def _note_running(db: Db, i: int, worker_id: str, run: dict[str, Any] | None) -> None:
    mine = update(Session).where(Session.id == i, Session.worker_id == worker_id)
    db.execute(mine.values(running=null() if run is None else run), execution_options={"synchronize_session": False})


def _objects(db: Db, i: int) -> list[dict[str, Any]]:
    gone = taken_out(db, i)
    return [
        {
            "number": one.number,
            "name": one.name,
            "colour": one.colour,
            "state": "removed" if one.number in gone else one.state,
            "origin": one.origin,
        }
        for one in objects_of(db, found(db, Session, i).video_id, removed=True)
    ]
