"""A server of the data engine for tests: in this process, with a stub in place of model workers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
from anyio.from_thread import BlockingPortal
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient, WebSocketTestSession

from masklet.data_engine import accounts
from masklet.data_engine.app import create_app
from masklet.data_engine.database import Database
from masklet.data_engine.frame_pack import new_pack
from masklet.data_engine.listener import Listener
from masklet.data_engine.model_pool import Busy
from masklet.data_engine.projects import add_project, add_video, video_ready
from masklet.data_engine.schema import Role
from masklet.data_engine.server_settings import ServerSettings
from masklet.data_engine.serving import Serving
from masklet.data_engine.workspace import Workspace, new_key
from masklet.masks import rle

HOST = "http://localhost:8008"
PASSWORD = "correct horse"
SIZE, FRAMES = (48, 72), 4
_quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
STAGES = {"stages": ["track", "verify"], "own_review": True}


def counts(area: int) -> str:
    """Run lengths of a mask of so many pixels."""
    mask = np.zeros(SIZE[0] * SIZE[1], bool)
    mask[:area] = True
    return rle.encode(mask.reshape(SIZE, order="F"))["counts"]


def mask_json(number: int, frame: int) -> dict[str, Any]:
    scores = {"iou": 0.9, "presence": 5.0, "stability": 0.95, "confidence": 0.89}
    area = 10 * number + frame
    return {"object": number, "frame": frame, "counts": counts(area), **scores, "prompted": frame == 0, "area": area}


@dataclass
class StubPool:
    """Stands in for model workers: remembers what it was asked, and does nothing twice.

    Attributes:
        asked: Messages with their session.
        done: Names of actions that were done.
        numbers: Objects that were prompted.
        refusal: What the next action is refused with.
        busy: Whether nobody answers.
    """

    asked: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    refusal: dict[str, Any] | None = None
    undone: dict[str, Any] | None = None
    busy: bool = False
    hold: asyncio.Event | None = None
    listeners: list[Listener] = field(default_factory=list)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def call(self, session_id: int, message: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((session_id, message))
        if self.busy:
            raise Busy("no model worker answers: try again in a moment")
        do = message["do"]
        if do == "state":
            objects = [{"number": number, "prompted": [0]} for number in sorted(self.numbers)]
            return {"ok": True, "state": {"objects": objects, "undo": None, "redo": None, "running": None}}
        if do == "collect":
            masklets = {str(n): [mask_json(n, t) for t in range(FRAMES)] for n in sorted(self.numbers)}
            return {"ok": True, "masklets": masklets}
        if do == "masks":
            frames = range(message["first"], message["first"] + message["count"])
            return {"ok": True, "masks": [mask_json(n, t) for n in sorted(self.numbers) for t in frames]}
        if do == "scores":
            return {"ok": True, "scores": []}
        if do in ("act", "propagate"):
            return await self._act(message)
        return {"ok": True}

    async def _act(self, message: dict[str, Any]) -> dict[str, Any]:
        if self.hold is not None:
            await self.hold.wait()
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            return {"ok": False, **refusal}
        if message["name"] not in self.done:
            self.done.append(message["name"])
        mask = None
        if message["kind"] in ("prompt", "mask"):
            self.numbers.add(message["object"])
            mask = mask_json(message["object"], message["frame"])
        if message["kind"] == "absent":
            self.numbers.add(message["object"])
            mask = {**mask_json(message["object"], message["frame"]), "counts": counts(0), "area": 0}
        return {"ok": True, "mask": mask, "undone": self.undone}

    def events(self, session_id: int) -> Listener:
        listener = Listener(lambda _: None)
        self.listeners.append(listener)
        return listener


@dataclass
class Served:
    """A server that runs, and what it runs on."""

    app: FastAPI
    pool: StubPool
    serving: Serving
    clients: dict[str, TestClient]
    portal: BlockingPortal

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function on the server's event loop."""
        return self.portal.call(function, *args)

    def client(self, user: str = "local") -> TestClient:
        """A browser of a user, signed in, which sends the token of its page."""
        if user not in self.clients:
            client = TestClient(self.app, HOST)
            client.portal = self.portal  # of one event loop with the server
            client.headers["host"] = HOST.removeprefix("http://")  # its WebSockets would have another one
            if user not in ("local", "nobody"):
                answer = client.post("/api/sign-in", json={"name": user, "password": PASSWORD})
                assert answer.status_code == 200, answer.text
            if user != "nobody":
                client.headers["X-Masklet-CSRF"] = client.get("/api/me").json()["csrf"]
            self.clients[user] = client
        return self.clients[user]

    def add_user(self, name: str, role: Role) -> None:
        self.serving.write(accounts.add_user, name, PASSWORD, role)

    def project(self, name: str = "people", **settings: Any) -> int:
        return self.serving.write(add_project, name, 3, "nano", 1, {**STAGES, **settings}).id

    def video(self, project_id: int, name: str = "walk") -> int:
        """A video whose frames are there."""
        video = self.serving.write(add_video, project_id, name, new_key())
        rng = np.random.default_rng(0)
        with new_pack(self.serving.workspace.pack(video.key), 24.0) as pack:
            for _ in range(FRAMES):
                pack.add(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
        height, width = SIZE
        self.serving.write(video_ready, video.id, width, height, FRAMES, 24.0)
        return video.id


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Served]:
    """Run a server in this process."""
    pool, workspace = StubPool(), Workspace(folder / "workspace")
    if "database" not in settings:
        (workspace.root / "engine.sqlite").write_bytes(_tables())
    app = create_app(ServerSettings(workspace.root, workers=0, **{"jobs": 0, **settings}), pool)
    with patch.object(accounts, "_hasher", _quick), TestClient(app, HOST) as running:
        assert running.portal is not None
        yield Served(app, pool, app.state.serving, {}, running.portal)


@cache
def _tables() -> bytes:
    """An SQLite file with tables and nothing in them."""
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/engine.sqlite")
        database.upgrade()
        database.close()
        return Path(folder, "engine.sqlite").read_bytes()


def task_of(client: TestClient, project_id: int, stage: str = "track") -> dict[str, Any]:
    """The next task, leased."""
    answer = client.post(f"/api/projects/{project_id}/claim", json={"stage": stage})
    assert answer.status_code == 200, answer.text
    return answer.json()


class Page:
    """A page's side of a connection."""

    def __init__(self, client: TestClient, task: int, lease: str | None, **headers: str) -> None:
        self.client, self.path, self.lease = client, f"{HOST.replace('http', 'ws')}/api/tasks/{task}/live", lease
        self.headers, self.events, self._id = headers, [], 0
        self.socket: WebSocketTestSession

    def __enter__(self) -> Page:
        self.socket = self.client.websocket_connect(self.path, headers=self.headers).__enter__()
        self.socket.send_json({"csrf": self.client.headers.get("X-Masklet-CSRF", "none"), "lease": self.lease})
        return self

    def __exit__(self, *error: Any) -> None:
        self.socket.__exit__(*error)

    def send(self, **message: Any) -> int:
        self._id += 1
        self.socket.send_json({"id": self._id, **message})
        return self._id

    def act(self, **message: Any) -> dict[str, Any]:
        """The answer to an action; events before it are kept."""
        return self.reply(self.send(**{"name": str(uuid.uuid4()), "seconds": 1.5, **message}))

    def ask(self, **message: Any) -> dict[str, Any]:
        return self.reply(self.send(**message))

    def reply(self, number: int | None) -> dict[str, Any]:
        while "reply" not in (message := self.socket.receive_json()):
            self.events.append(message)
        assert message["reply"] == number, message
        return message

    def event(self, kind: str) -> dict[str, Any]:
        while (message := self.socket.receive_json()).get("event") != kind:
            pass
        return message
