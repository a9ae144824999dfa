"""Workers that are killed at bad moments: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_engine import MadeEngine, made_engine
from masklet.checkpoints.load import load
from masklet.data_engine import workers
from masklet.data_engine.database import Database
from masklet.data_engine.errors import NotFound
from masklet.data_engine.frame_pack import FramePack
from masklet.data_engine.model_pool import MOST_WAITING, Busy, ModelPool
from masklet.data_engine.worker_link import WorkerLink
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from masklet.video.frames import FrameSource
from tiny_model import DISC

pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture
def engine(sqlite: Database, tmp_path: Path, tiny: Sam2, frames: list[np.ndarray]) -> MadeEngine:
    return made_engine(sqlite, tmp_path, tiny, frames)


def click(name: str, frame: int = 0, target: int = 1) -> dict[str, Any]:
    given = {"points": [list(DISC)], "labels": [1], "frame": frame, "object": target}
    return {"do": "act", "kind": "prompt", "name": name, **given}


def run(engine: MadeEngine, work: Callable[[ModelPool], Awaitable[None]], count: int = 1, **options: Any) -> None:
    async def go() -> None:
        pool = ModelPool(engine.database, engine.workspace, workers=count, threads=1, **options)
        await pool.start()
        try:
            await asyncio.wait_for(work(pool), 120)
        finally:
            await pool.stop()

    asyncio.run(go())


def holder(engine: MadeEngine, pool: ModelPool, session: int) -> int:
    """Number of the process that has a session."""
    return pool.local.processes[engine.row(session).worker_id or ""].pid


def saved(engine: MadeEngine, session: int) -> VideoSession:
    source = FrameSource(FramePack(next(engine.workspace.root.glob("videos/*"))))
    return VideoSession.load(engine.file(session), source, load(engine.model))


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


def test_a_worker_that_is_killed_takes_nothing_with_it(engine: MadeEngine, monkeypatch: pytest.MonkeyPatch):
    session, length = engine.session(frames=60), 60
    seen: list[int] = []
    finished = asyncio.Event()

    async def listen(pool: ModelPool) -> None:
        async with pool.events(session) as events:
            async for event in events:
                if event["event"] == "frame":
                    seen.append(event["frame"])
                if event["event"] == "finished":
                    assert event["error"] is None
                    finished.set()

    async def work(pool: ModelPool) -> None:
        assert (await pool.call(session, {"do": "state"}))["ok"]
        listening = asyncio.create_task(listen(pool))
        await pool.call(session, click("a"))

        # between action and answer
        ask, lost = WorkerLink.ask, []

        async def killed(self: WorkerLink, message: dict[str, Any]) -> dict[str, Any]:
            reply = await ask(self, message)
            if message["do"] == "act" and not lost:
                lost.append(message)
                os.kill(holder(engine, pool, session), signal.SIGKILL)
                await asyncio.wait([self._reading])
                raise ConnectionAbortedError  # as LinkLost: the answer never came
            return reply

        monkeypatch.setattr(WorkerLink, "ask", killed)
        monkeypatch.setattr("masklet.data_engine.model_pool.LinkLost", ConnectionError)
        reply = await pool.call(session, click("b"))
        assert lost
        assert reply["mask"]["prompted"]
        assert len(saved(engine, session).tracks[1].prompts[0].points) == 2

        # in the middle of a propagation
        await pool.call(session, {"do": "propagate", "name": "p", "start": 0})
        await until(lambda: len(seen) > 5)
        os.kill(holder(engine, pool, session), signal.SIGKILL)
        await finished.wait()
        listening.cancel()
        assert {*seen} == {*range(length)}
        assert engine.row(session).running is None

    run(engine, work, count=2)
    plain = VideoSession(FrameSource(FramePack(next(engine.workspace.root.glob("videos/*")))), load(engine.model))
    for _ in range(2):
        plain.prompt(0, 1, points=[DISC])
    wanted = {r.frame: r[1].rle() for r in plain.propagate()}
    assert {t: dict(s.rle) for t, s in saved(engine, session).tracks[1].shown.items()} == wanted


def test_undo_and_redo_go_on_after_kills_and_restarts(engine: MadeEngine, monkeypatch: pytest.MonkeyPatch):
    """Killed with nothing going on, in the middle of tracking, and between an undo and its answer."""
    session, length = engine.session(frames=60), 60
    known: dict[str, Any] = {}

    async def held(pool: ModelPool) -> list[dict[str, Any]]:
        return (await pool.call(session, {"do": "masks", "first": 0, "count": length}))["masks"]

    async def next_of(pool: ModelPool) -> tuple[str | None, str | None]:
        state = (await pool.call(session, {"do": "state"}))["state"]
        return tuple(state[what] and state[what]["kind"] for what in ("undo", "redo"))  # pyright: ignore

    async def undo(pool: ModelPool, name: str, kind: str = "undo") -> dict[str, Any]:
        return (await pool.call(session, {"do": "act", "kind": kind, "name": name}))["undone"]

    async def kill(pool: ModelPool) -> None:
        os.kill(holder(engine, pool, session), signal.SIGKILL)

    async def work(pool: ModelPool) -> None:
        await pool.call(session, click("a"))
        known["clicked"] = await held(pool)
        async with pool.events(session) as events:
            await pool.call(session, {"do": "propagate", "name": "p", "start": 0})
            async for event in events:
                if event.get("frame") == 5:
                    await asyncio.sleep(1.1)  # tracking waits, and then it is saved: once a second
                if event.get("frame") == 25 and "killed" not in known:
                    known["killed"] = True
                    await kill(pool)
                if event["event"] == "finished":
                    break
        known["tracked"] = await held(pool)
        assert len(known["tracked"]) == length
        await pool.call(session, click("b", target=2))
        await pool.call(session, {"do": "act", "kind": "object_remove", "name": "r", "object": 2})
        await kill(pool)

        ask, lost = WorkerLink.ask, []

        async def killed(self: WorkerLink, message: dict[str, Any]) -> dict[str, Any]:
            reply = await ask(self, message)
            if message["do"] == "act" and not lost:
                lost.append(message)
                await kill(pool)
                await asyncio.wait([self._reading])
                raise ConnectionAbortedError
            return reply

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WorkerLink, "ask", killed)
            patch.setattr("masklet.data_engine.model_pool.LinkLost", ConnectionError)
            undone = await undo(pool, "u1")  # done once, and what was undone is said again
        assert lost
        assert undone == {"kind": "remove", "objects": [2], "frame": None, "last": None}
        assert {mask["object"] for mask in await held(pool)} == {1, 2}
        assert await next_of(pool) == ("prompt", "remove")

    run(engine, work)

    async def later(pool: ModelPool) -> None:
        assert await next_of(pool) == ("prompt", "remove")
        assert (await undo(pool, "u2"))["objects"] == [2]
        assert await held(pool) == known["tracked"]
        assert (await undo(pool, "u3")) == {"kind": "propagate", "objects": [], "frame": 0, "last": length - 1}
        assert await held(pool) == known["clicked"]
        await kill(pool)
        assert await next_of(pool) == ("prompt", "propagate")
        assert (await undo(pool, "u4", "redo"))["kind"] == "propagate"
        assert await held(pool) == known["tracked"]
        await kill(pool)
        for name, kind in (("r2", "prompt"), ("r3", "remove")):
            assert (await undo(pool, name, "redo"))["kind"] == kind
        assert await next_of(pool) == ("remove", None)

    run(engine, later)


def test_a_propagation_goes_on_when_the_server_starts_again_and_waits_for_who_is_slow(engine: MadeEngine):
    session = engine.session(frames=60)

    async def begin(pool: ModelPool) -> None:
        await pool.call(session, click("a"))
        async with pool.events(session) as events:
            await pool.call(session, {"do": "propagate", "name": "p"})
            await asyncio.sleep(1)
            tracked = (await pool.call(session, {"do": "state"}))["state"]["objects"][0]["tracked"]
            assert 10 < tracked[-1][-1] < 35  # listener, worker and what is between them hold so many
            told = [await anext(events) for _ in range(12)]
            assert [e["frame"] for e in told if e["event"] == "frame"] == [*range(sum("frame" in e for e in told))]

    run(engine, begin)
    assert engine.row(session).running is not None
    assert not engine.database.run(workers.alive)

    async def go_on(pool: ModelPool) -> None:
        await until(lambda: engine.row(session).running is None)
        masks = await pool.call(session, {"do": "masks", "first": 55, "count": 10})
        assert [m["frame"] for m in masks["masks"]] == [*range(55, 60)]

    run(engine, go_on)


def test_too_much_at_once_is_refused_and_so_is_waiting_for_ever(engine: MadeEngine):
    session = engine.session()

    async def work(pool: ModelPool) -> None:
        began = time.monotonic()
        waiting = [asyncio.create_task(pool.call(session, click(f"{n}"))) for n in range(MOST_WAITING)]
        await asyncio.sleep(0.1)
        assert pool.waiting == MOST_WAITING
        with pytest.raises(Busy, match="8 requests of this session wait already"):
            await pool.call(session, click("one too many"))
        for one in waiting:
            with pytest.raises(Busy, match="no model worker answers"):
                await one
        assert pool.waiting == 0
        assert time.monotonic() - began < 60
        with pytest.raises(NotFound):
            await pool.call(999, {"do": "state"})

    run(engine, work, count=0, patience=0.3)
