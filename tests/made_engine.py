"""An engine for tests: a workspace with a video, a project with a tiny model, and a session to work in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from masklet.checkpoints.load import save
from masklet.data_engine import workers
from masklet.data_engine.database import Database, found
from masklet.data_engine.frame_pack import new_pack
from masklet.data_engine.model_worker import ModelWorker
from masklet.data_engine.objects import add_object
from masklet.data_engine.projects import add_project, add_video, video_ready
from masklet.data_engine.schema import Phase, Session
from masklet.data_engine.workspace import Workspace, new_key
from masklet.model.sam2 import Sam2

PATIENCE = 20.0


@dataclass(frozen=True)
class MadeEngine:
    database: Database
    workspace: Workspace
    model: Path
    frames: list[np.ndarray]

    def session(self, phase: Phase = 3, frames: int | None = None) -> int:
        """A new video of a new project, and its session."""
        key = new_key()
        with new_pack(self.workspace.pack(key), 10.0) as writer:
            for t in range(frames or len(self.frames)):
                writer.add(self.frames[t % len(self.frames)])
        with self.database.begin() as db:
            project = add_project(db, f"project {key}", phase, str(self.model), 1)
            video = add_video(db, project.id, "clip", key)
            height, width = self.frames[0].shape[:2]
            video_ready(db, video.id, width, height, frames or len(self.frames), 10.0)
            add_object(db, video.id, None, name="disc", number=1)
            return next(s.id for s in db.query(Session).filter_by(video_id=video.id))

    def row(self, session: int) -> Session:
        with self.database.begin() as db:
            return found(db, Session, session)

    def file(self, session: int) -> Path:
        return self.workspace.session(self.row(session).key)


def made_engine(database: Database, folder: Path, model: Sam2, frames: list[np.ndarray]) -> MadeEngine:
    """In a folder with the SQLite file of the database."""
    return MadeEngine(database, Workspace(folder), save(model, folder / "tiny.safetensors"), frames)


class Client:
    """Talks to a worker over a real WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection, self.events, self._id = connection, [], 0
        self.replies: dict[int, dict[str, Any]] = {}

    async def send(self, **message: Any) -> int:
        self._id += 1
        await self.connection.send(json.dumps({"id": self._id, **message}))
        return self._id

    async def ask(self, **message: Any) -> dict[str, Any]:
        return await self.reply(await self.send(**message))

    async def reply(self, number: int) -> dict[str, Any]:
        while number not in self.replies:
            await self._read()
        return self.replies.pop(number)

    async def event(self, kind: str) -> dict[str, Any]:
        """The next event of a kind; others before it are dropped."""
        while True:
            while self.events:
                event = self.events.pop(0)
                if event["event"] == kind:
                    return event
            await self._read()

    async def more(self, session: int, count: int = 1) -> None:
        await self.connection.send(json.dumps({"do": "more", "session": session, "count": count}))

    async def _read(self) -> None:
        message = json.loads(await asyncio.wait_for(self.connection.recv(), PATIENCE))
        if "event" in message:
            self.events.append(message)
        else:
            self.replies[message["id"]] = message


@asynccontextmanager
async def serving(engine: MadeEngine, worker: ModelWorker) -> AsyncIterator[str]:
    """A worker in this process; gives its address."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(worker.serve(stop, ready=address.set_result))
    try:
        yield await address
    finally:
        stop.set()
        await task


@asynccontextmanager
async def client(address: str, token: str = "token") -> AsyncIterator[Client]:
    async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None) as connection:
        yield Client(connection)


def opening(engine: MadeEngine, session: int) -> dict[str, Any]:
    """The request that opens a session, after the database gave it to a worker."""
    from masklet.data_engine.model_pool import _given

    _, _, request = engine.database.run(_given, session)
    return {"do": "open", "session": session, **request}


def give_to(engine: MadeEngine, session: int, worker_id: str) -> None:
    """As if another worker had died: the session is given to this one."""
    with engine.database.begin() as db:
        row = found(db, Session, session)
        workers.announce(db, worker_id, "ws://127.0.0.1:1")
        row.worker_id, row.epoch = worker_id, row.epoch + 1
