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
