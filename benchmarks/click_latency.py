"""What a click costs in a model worker: ``python benchmarks/click_latency.py [--clicks 20]``.

A worker of the data engine in this process, with nano and a video of 854x480; one client over a WebSocket. A frame is
looked at, which encodes it, and clicked on then. Times are of this process's processors, the client's included, with
one thread; from the request to its answer, when the click is in the session's file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from websockets.asyncio.client import connect

from masklet.checkpoints.load import load
from masklet.data_engine import model_pool, workers
from masklet.data_engine.database import Database
from masklet.data_engine.frame_pack import new_pack
from masklet.data_engine.model_worker import ModelWorker
from masklet.data_engine.projects import add_project, add_video, video_ready
from masklet.data_engine.schema import Session
from masklet.data_engine.workspace import Workspace, new_key

HEIGHT, WIDTH, FRAMES = 480, 854, 8


def frames() -> list[np.ndarray]:
    """A bright disc that moves over noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 90, (HEIGHT // 8, WIDTH // 8 + 1, 3), np.uint8).repeat(8, 0).repeat(8, 1)[:, :WIDTH]
    yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH]
    made = []
    for t in range(FRAMES):
        frame = noise.copy()
        frame[(xx - 300 - 10 * t) ** 2 + (yy - 240) ** 2 < 90**2] = (220, 60, 40)
        made.append(frame)
    return made


def made_session(workspace: Workspace, database: Database, phase: int) -> int:
    """A video, its project and its session."""
    key = new_key()
    with new_pack(workspace.pack(key), 24.0) as writer:
        for frame in frames():
            writer.add(frame)
    with database.begin() as db:
        project = add_project(db, f"phase {phase}", phase, "nano")  # pyright: ignore[reportArgumentType]
        video = add_video(db, project.id, "clip", key)
        video_ready(db, video.id, WIDTH, HEIGHT, FRAMES, 24.0)
        return next(one.id for one in db.query(Session).filter_by(video_id=video.id))


async def measure(workspace: Workspace, database: Database, clicks: int) -> None:
    """Print the costs of encoding and of clicks in each phase."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    worker = ModelWorker(workspace, database, "worker", "token", load)
    serving = asyncio.create_task(worker.serve(stop, ready=address.set_result))
    there = await address
    async with connect(there, additional_headers={"Authorization": "Bearer token"}, proxy=None) as socket:

        async def ask(**message: object) -> dict:
            await socket.send(json.dumps({"id": 1, **message}))
            while "event" in (reply := json.loads(await socket.recv())):
                pass
            return reply

        for phase in (3, 2):
            session = made_session(workspace, database, phase)
            _, _, opening = database.run(model_pool._given, session)
            assert (await ask(do="open", session=session, **opening))["ok"]
            looks, costs, walls = [], [], []
            for k in range(clicks):
                t = k % FRAMES
                began = time.process_time()
                await ask(do="look", session=session, frame=t)
                await ask(do="masks", session=session, first=0, count=0)  # comes after it
                looks.append(time.process_time() - began)
                point = [300 + 10 * t + 7 * (k // FRAMES), 240 - 5 * (k // FRAMES)]
                click = {"frame": t, "object": 1, "points": [point], "labels": [1]}
                began, wall = time.process_time(), time.perf_counter()
                reply = await ask(do="act", session=session, kind="prompt", name=f"{phase}.{k}", **click)
                costs.append(time.process_time() - began)
                walls.append(time.perf_counter() - wall)
                assert reply["ok"], reply
            encode, click_ms = 1000 * np.median(looks[1:FRAMES]), 1000 * np.array(costs[1:])
            print(
                f"phase {phase}: encoding {encode:.0f} ms; click on an encoded frame: median {np.median(click_ms):.0f}"
                f" ms, 95 % below {np.percentile(click_ms, 95):.0f} ms of processor time; by the clock of this machine"
                f" {1000 * np.median(walls[1:]):.0f} ms"
            )
    stop.set()
    await serving
    assert not database.run(workers.alive)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=20)
    clicks = parser.parse_args().clicks
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        database = Database(workspace.database)
        database.upgrade()
        asyncio.run(measure(workspace, database, clicks))
        database.close()


if __name__ == "__main__":
    main()
