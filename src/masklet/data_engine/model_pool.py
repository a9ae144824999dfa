"""The pool of model workers, as a server sees it: ask something of a session, wherever it is open.

A worker that dies is not noticed by who asks: another one opens the session from its file, and what was not answered is
asked again under the same name, so that it is done once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import fields
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from . import workers
from .database import Database, Db, found
from .errors import NoWorker
from .listener import Listener
from .local_workers import LocalWorkers
from .schema import Project, Session, Video
from .stored_masks import StoredMask
from .worker_link import LinkLost, WorkerLink
from .worker_token import worker_token
from .workspace import Workspace

log = logging.getLogger(__name__)

MOST_WAITING = 8
"""Requests of a session that may wait."""
PATIENCE = 60.0
"""Seconds that a request may wait for a worker."""
_AGAIN = 0.1
_IN_ORDER = ("act", "propagate")
"""Requests of which a session does one after the other."""


class Busy(RuntimeError):
    """Too much waits already, or no worker answers: try again."""


class ModelPool:
    """Sessions in worker processes: some of this machine, and others that announced themselves in the database.

    Args:
        database: Where workers are found.
        workspace: Folder with frames and sessions.
        database_url: URL of the database, for the local workers; None: the workspace's own.
        workers: Local workers.
        device: Where their models compute.
        threads: Threads of torch of each; None: as it sees fit.
        token: What workers want to see; None: that of the workspace.
        patience: Seconds that a request may wait for a worker.
    """

    def __init__(
        self,
        database: Database,
        workspace: Workspace,
        database_url: str | None = None,
        workers: int = 1,
        *,
        device: str = "cpu",
        threads: int | None = None,
        token: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._database, self._patience = database, patience
        self._token = token or worker_token(workspace.secret())
        url = database_url or workspace.database
        self.local = LocalWorkers(workspace, url, self._token, workers, device, threads, self._died)
        self._links: dict[tuple[str, str], asyncio.Task[WorkerLink]] = {}
        self._seats: dict[int, _Seat] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = False

    async def start(self) -> None:
        """Start the local workers, and let propagations that were going on go on."""
        self.local.start()
        for i in await asyncio.to_thread(self._database.run, _running):
            self._begin(self._reopen(i))

    async def stop(self) -> None:
        """End the local workers, which save everything, and all listening."""
        self._stopped = True
        for seat in self._seats.values():
            for one in list(seat.listeners):
                await one.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in await asyncio.gather(*self._links.values(), return_exceptions=True):
            if isinstance(link, WorkerLink):
                await link.close()
        await self.local.stop()

    async def call(self, session_id: int, message: dict[str, Any]) -> dict[str, Any]:
        """Ask something of a session: ``{"do": ...}`` as for :mod:`~masklet.data_engine.model_worker`, without ids.

        Returns:
            The worker's answer, with ``ok`` and, where that is false, ``kind`` and ``error``.

        Raises:
            Busy: Try again.
            NotFound: There is no such session.
        """
        if message.get("do") == "open":  # a session is opened by whatever is asked of it
            message = {"do": "state"}
        seat = self._seat(session_id)
        if seat.waiting >= MOST_WAITING:
            raise Busy(f"{seat.waiting} requests of this session wait already: try again in a moment")
        seat.waiting += 1
        try:
            if message.get("do") not in _IN_ORDER:
                return await self._ask(session_id, message)
            async with seat.in_order:
                reply = await self._ask(session_id, message)
                seat.running = seat.running or (message["do"] == "propagate" and bool(reply["ok"]))
                return reply
        finally:
            seat.waiting -= 1

    def events(self, session_id: int) -> Listener:
        """Events of a session from now on, each ``{"event": "state" | "frame" | "finished", ...}``.

        They come from where the session is open: ask for its ``state`` first. Tracking waits for slow listeners.
        """
        seat = self._seat(session_id)
        listener = Listener(seat.listeners.discard)
        seat.listeners.add(listener)
        return listener

    @property
    def waiting(self) -> int:
        """Requests that wait for an answer."""
        return sum(seat.waiting for seat in self._seats.values())

    def _seat(self, i: int) -> _Seat:
        return self._seats.setdefault(i, _Seat())

    async def _ask(self, i: int, message: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        deadline, seat = loop.time() + self._patience, self._seat(i)
        while True:
            try:
                link, refusal = await self._opened(i)
                reply = refusal or await link.ask({**message, "session": i})
                if reply.get("kind") not in ("closed", "moved"):
                    return {name: value for name, value in reply.items() if name != "id"}
                seat.link = None
                why = str(reply.get("error"))
            except (LinkLost, NoWorker) as error:
                why = str(error)
            if loop.time() >= deadline or self._stopped:
                raise Busy(f"no model worker answers ({why}): try again in a moment")
            await asyncio.sleep(_AGAIN)

    async def _opened(self, i: int) -> tuple[WorkerLink, dict[str, Any] | None]:
        """The worker that has a session open, and what it says if it cannot open it."""
        seat = self._seat(i)
        async with seat.opening:
            if seat.link is not None and not seat.link.lost:
                return seat.link, None
            worker_id, address, request = await asyncio.to_thread(self._database.run, _given, i)
            link = await self._link(worker_id, address)
            reply = await link.ask({**request, "do": "open", "session": i})
            if not reply.get("ok"):
                return link, reply
            seat.link = link
            self._tell(i, {"event": "state", "state": reply["state"]})
            return link, None

    async def _link(self, worker_id: str, address: str) -> WorkerLink:
        key = worker_id, address
        task = self._links.get(key)
        if task is None or (task.done() and (task.exception() is not None or task.result().lost)):
            opening = WorkerLink.open(address, self._token, self._on_event, partial(self._on_lost, worker_id))
            task = self._links[key] = asyncio.create_task(opening)
        return await asyncio.shield(task)

    async def _reopen(self, i: int) -> None:
        """Open a session again, for its propagation to go on and for those who listen."""
        try:
            await self._ask(i, {"do": "state"})
        except (Busy, LookupError, SQLAlchemyError) as error:
            log.warning("session %s cannot be opened again: %s", i, error)

    # What workers say

    def _on_event(self, link: WorkerLink, event: dict[str, Any]) -> None:
        i, seat = event["session"], self._seats.get(event["session"])
        if seat is None:
            return
        if event["event"] != "closed":
            seat.running = event["event"] == "frame" or (seat.running and event["event"] != "finished")
            self._tell(i, event, link)
        elif seat.link is link:
            seat.link = None
            if event.get("why") in ("moved", "stopped"):
                self._go_on(i, seat)

    def _on_lost(self, worker_id: str, link: WorkerLink) -> None:
        if not self._stopped:
            self.local.kill(worker_id)  # one that lives but does not answer would keep the locks of its sessions
        for i, seat in self._seats.items():
            if seat.link is link:
                seat.link = None
                self._go_on(i, seat)

    def _go_on(self, i: int, seat: _Seat) -> None:
        if not self._stopped and (seat.listeners or seat.running):
            self._begin(self._reopen(i))

    async def _died(self, worker_id: str) -> None:
        """A local worker is no more: its sessions are free at once."""
        try:
            await asyncio.to_thread(self._database.run, workers.leave, worker_id)
        except SQLAlchemyError as error:
            log.warning("the end of model worker %s could not be noted: %s", worker_id, error)

    # Who listens

    def _tell(self, i: int, event: dict[str, Any], link: WorkerLink | None = None) -> None:
        seat = self._seat(i)
        seat.events.append((event, link))
        if seat.telling is None or seat.telling.done():
            seat.telling = self._begin(self._tell_all(i, seat))

    async def _tell_all(self, i: int, seat: _Seat) -> None:
        """Hand events on; a worker that was told of no more than a few frames sends no others meanwhile."""
        while seat.events:
            event, link = seat.events.popleft()
            told = {name: value for name, value in event.items() if name != "session"}
            for one in list(seat.listeners):
                await one.put(told)
            if link is not None and event["event"] == "frame":
                try:
                    await link.send({"do": "more", "session": i, "count": 1})
                except LinkLost:
                    continue

    def _begin(self, coroutine: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def handed_in(reply: dict[str, Any]) -> dict[int, list[StoredMask]]:
    """Masks of each object, by its number, from the answer to ``collect``; for ``tasks.submit``."""
    names = [field.name for field in fields(StoredMask)]
    return {
        int(i): [
            StoredMask(**{**{name: one[name] for name in names}, "counts": one["counts"].encode()}) for one in masks
        ]
        for i, masks in reply["masklets"].items()
    }


class _Seat:
    """A session as the pool knows it: where it is open, what waits, and who listens."""

    def __init__(self) -> None:
        self.link: WorkerLink | None = None
        self.waiting, self.running = 0, False
        self.in_order, self.opening = asyncio.Lock(), asyncio.Lock()
        self.listeners: set[Listener] = set()
        self.events: deque[tuple[dict[str, Any], WorkerLink | None]] = deque()
        self.telling: asyncio.Task[None] | None = None


def _given(db: Db, i: int) -> tuple[str, str, dict[str, Any]]:
    """The worker that has a session, and what it must know to open it."""
    worker = workers.give_session(db, i)
    session = found(db, Session, i)
    video = found(db, Video, session.video_id)
    project = found(db, Project, video.project_id)
    request = {
        "key": session.key,
        "pack": video.key,
        "phase": project.phase,
        "model": project.model,
        "epoch": session.epoch,
    }
    return worker.id, worker.address, request


def _running(db: Db) -> list[int]:
    """Sessions of which a propagation is going on."""
    return [one.id for one in db.scalars(select(Session).where(Session.running.is_not(None))) if one.running]
