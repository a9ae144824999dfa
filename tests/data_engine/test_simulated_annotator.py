"""Simulated annotators against a real server, with a stub for a model: it answers clicks and tracks by the truth."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI

from engine_server import FRAMES, PASSWORD, SIZE, served
from masklet.data.frames import stated_frames
from masklet.data.records import AnnotatedVideo
from masklet.data.truths import ObjectMasks
from masklet.data_engine.client import Client
from masklet.data_engine.database import Db
from masklet.data_engine.listener import Listener
from masklet.data_engine.objects import objects_of
from masklet.data_engine.projects import add_project
from masklet.data_engine.schema import Object, Phase
from masklet.data_engine.simulated_annotator import SimulatedAnnotator
from masklet.masks import rle

IDS = {2: 8, 5: 30}
"""Objects of the truth and the row that they are around."""


def _drawn(one: int, t: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[IDS[one] - 6 : IDS[one] + 6, 10 + t : 30 + t] = True
    return mask


def _truth() -> AnnotatedVideo:
    masks = {t: {one: (lambda one=one, t=t: _drawn(one, t)) for one in IDS} for t in range(FRAMES)}
    where = Path("made")
    return AnnotatedVideo("walk", stated_frames(where, FRAMES, SIZE), ObjectMasks(where, lambda: masks))


class TruthPool:
    """Knows the object by the click. What is handed in the first ``bad`` times is half of the objects."""

    def __init__(self, bad: int = 0) -> None:
        self.bad = bad
        self.objects: dict[int, int] = {}
        self.clicked: set[tuple[int, int]] = set()
        self.tracked: set[int] = set()
        self.listeners: list[Listener] = []
        self.asked: list[dict[str, Any]] = []
        self.rows: Callable[[], list[Object]] = list

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def events(self, session_id: int) -> Listener:
        listener = Listener(self.listeners.remove)
        self.listeners.append(listener)
        return listener

    async def call(self, session_id: int, message: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(message)
        do = message["do"]
        if do == "state":
            objects = [{"number": o.number, "name": o.name, "state": o.state} for o in self.rows()]
            return {"ok": True, "state": {"objects": objects, "undo": None, "redo": None, "running": None}}
        if do == "masks":
            frames = range(message["first"], min(FRAMES, message["first"] + message["count"]))
            return {"ok": True, "masks": [self._json(n, t) for n in self.objects for t in frames if self._known(n, t)]}
        if do == "collect":
            worse, self.bad = self.bad > 0, self.bad - 1
            masklets = {str(n): [self._json(n, t, worse) for t in range(FRAMES)] for n in self.objects}
            return {"ok": True, "masklets": masklets}
        if do == "propagate":
            self.tracked |= set(range(message["start"], message["stop"] + 1))
            asyncio.get_running_loop().create_task(self._tell(message))
        if do == "act" and message["kind"] == "prompt":
            return {"ok": True, "mask": self._prompt(message)}
        return {"ok": True}

    def _prompt(self, message: dict[str, Any]) -> dict[str, Any]:
        (x, y), number, t = message["points"][0], message["object"], message["frame"]
        if number not in self.objects:
            self.objects[number] = next(one for one in IDS if _drawn(one, t)[round(y), round(x)])
        self.clicked.add((number, t))
        return self._json(number, t)

    async def _tell(self, message: dict[str, Any]) -> None:
        for t in range(message["start"], message["stop"] + 1):
            masks = [self._json(n, t) for n in self.objects]
            for listener in self.listeners:
                await listener.put({"event": "frame", "frame": t, "masks": masks, "left": 0})
        for listener in self.listeners:
            await listener.put({"event": "finished", "name": message["name"], "frames": FRAMES, "error": None})

    def _known(self, number: int, t: int) -> bool:
        return t in self.tracked or (number, t) in self.clicked

    def _json(self, number: int, t: int, worse: bool = False) -> dict[str, Any]:
        mask = _drawn(self.objects[number], t)
        if worse:
            mask[: IDS[self.objects[number]]] = False
        code, scores = rle.encode(mask), {"iou": 0.9, "presence": 5.0, "stability": 0.9, "confidence": 0.9}
        prompted, area = (number, t) in self.clicked, rle.area(code)
        return {"object": number, "frame": t, "counts": code["counts"], **scores, "prompted": prompted, "area": area}


@contextmanager
def _listening(app: FastAPI, port: int) -> Iterator[None]:
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="error", ws="websockets-sansio", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _annotate(tmp_path: Path, monkeypatch, port: int, pool: TruthPool, phase: Phase, **settings: Any) -> dict[str, Any]:
    """Make a project with the truth's video, do all that there is to do, and tell what it has come to."""
    monkeypatch.setattr("engine_server.StubPool", lambda: pool)

    async def work(project_id: int, video_id: int) -> dict[str, Any]:
        url = f"http://127.0.0.1:{port}"
        async with Client(url, "ann", PASSWORD) as ann, Client(url, "vera", PASSWORD) as vera:
            people = [SimulatedAnnotator(one, {"walk": _truth()}) for one in (ann, vera)]
            for _ in range(3):
                await people[0].work(project_id, ("select", "track"))
                await people[1].work(project_id, ("verify",))
            return {
                "done": [one.done for one in people],
                "objects": await ann.get(f"videos/{video_id}/objects"),
                "tasks": await ann.get(f"projects/{project_id}/tasks"),
            }

    with served(tmp_path, accounts=True, port=port) as server:
        server.add_user("ann", "annotator")
        server.add_user("vera", "verifier")
        settings = {"own_review": False, "simulated": True, **settings}
        project = server.serving.write(_project, phase, settings)
        video_id = server.video(project, "walk.mp4")
        pool.rows = lambda: server.serving.read(objects_of, video_id)
        with _listening(server.app, port):
            return asyncio.run(work(project, video_id))


def _project(db: Db, phase: Phase, settings: dict[str, Any]) -> int:
    return add_project(db, "p", phase, "nano", 1, settings).id


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_all_stages_by_two_people(tmp_path, monkeypatch, port, phase):
    stages = ["select", "track", "verify"] if phase == 3 else ["track", "verify"]
    pool = TruthPool()
    found = _annotate(tmp_path, monkeypatch, port, pool, phase, stages=stages)
    assert found["done"] == [dict.fromkeys(stages[:-1], 1), {"verify": 2}]
    assert [(one["name"], one["state"]) for one in found["objects"]] == [
        ("truth 2", "satisfactory"),
        ("truth 5", "satisfactory"),
    ]
    clicks = [one for one in pool.asked if one.get("kind") == "prompt"]
    assert len(clicks) == (2 * FRAMES if phase == 1 else 2)
    assert any(one["do"] == "propagate" for one in pool.asked) == (phase > 1)


@pytest.mark.parametrize(("bad", "state"), [(1, "satisfactory"), (9, "ill_defined")])
def test_what_is_bad_goes_back_once(tmp_path, monkeypatch, port, bad, state):
    found = _annotate(tmp_path, monkeypatch, port, TruthPool(bad), 2, stages=["track", "verify"])
    assert {one["state"] for one in found["objects"]} == {state}
    assert sorted((one["stage"], one["round"]) for one in found["tasks"]) == [
        ("track", 1), ("track", 2), ("verify", 1), ("verify", 1), ("verify", 2), ("verify", 2)
    ]  # fmt: skip


def test_seconds_are_those_of_the_protocol(tmp_path, monkeypatch, port):
    found = _annotate(tmp_path, monkeypatch, port, TruthPool(), 3, stages=["track", "verify"])
    seconds = {one["stage"]: one["seconds"] for one in found["tasks"]}
    looking = FRAMES / 10
    assert seconds["track"] == pytest.approx(2 * (1 + 1.5 + looking))
    assert seconds["verify"] == pytest.approx(looking)
