"""Many simulated annotators against a server whose processes are killed at random; then it is checked what is left.

    python benchmarks/data_engine_load.py --annotators 5 --minutes 10 --out runs/load-sqlite
    python benchmarks/data_engine_load.py --annotators 20 --minutes 10 --postgresql --out runs/load-postgresql

A real server (``masklet annotate --accounts``), on SQLite or on a PostgreSQL of its own, is used through its API by
people who track and people who verify. Model workers and the server are killed (SIGKILL) at random moments, the server
is started again, and annotators vanish without a word. Then: every acknowledged action is in the log once and its
clicks in the session's file once, no task and no masklet is there twice, and what vanished people held can be claimed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from engine_checks import complaints
from engine_process import EngineProcess
from sqlalchemy import func, select, text

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from masklet.data.open import open_dataset
from masklet.data.records import AnnotatedVideo
from masklet.data_engine.accounts import add_user
from masklet.data_engine.client import Client
from masklet.data_engine.client_errors import EngineError, ServerGone
from masklet.data_engine.database import Database
from masklet.data_engine.live_client import Reply
from masklet.data_engine.schema import Action, Judgement, Masklet, Role, Task
from masklet.data_engine.simulated_annotator import SimulatedAnnotator
from masklet.data_engine.simulated_tracking import Behaviour
from masklet.data_engine.workspace import Workspace
from postgres_server import postgres_server

LEASE = 20.0  # seconds
SETTLING = 15.0  # seconds after a kill in which answers are not counted as undisturbed
GRACE = 90.0  # seconds that people have to finish what they do
KINDS = ("prompt", "propagate", "object_add", "stop")


@dataclass
class Run:
    """What happened."""

    replies: list[tuple[float, Reply]] = field(default_factory=list)
    kills: list[tuple[float, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    processor: dict[int, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    vanished: int = 0
    uploads_cut_off: int = 0

    def heard(self, reply: Reply) -> None:
        """Note an answered action."""
        self.replies.append((time.monotonic(), reply))


class Truths(dict[str, AnnotatedVideo]):
    """Truths of copies of a few clips: ``walk~17`` is ``walk``."""

    def __missing__(self, name: str) -> AnnotatedVideo:
        clip, copied, _ = name.rpartition("~")
        if not copied:
            raise KeyError(name)
        return self[clip]


def as_zip(video: AnnotatedVideo, frames: int, folder: Path) -> Path:
    """The first frames of a clip as an archive."""
    path = folder / f"{video.name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for t in range(min(frames, video.frame_count)):
            archive.write(video.frames.file(t), f"{t:05d}.jpg")
    return path


def cut(video: AnnotatedVideo, frames: int) -> AnnotatedVideo:
    """The truth of the first frames."""
    return _Cut(video.name, video.frames, video.truth, video.categories, frames)


@dataclass(frozen=True)
class _Cut(AnnotatedVideo):
    most: int = 0

    @property
    def annotated(self) -> tuple[int, ...]:
        return tuple(t for t in self.truth.annotated() if t < self.most)


class Load:
    """One run."""

    def __init__(self, args: argparse.Namespace, database: str | None) -> None:
        self.args, self.run = args, Run()
        self.random = random.Random(args.seed)
        self.workspace = Workspace(args.out / "workspace")
        self.database = Database(database or self.workspace.database)
        self.server = EngineProcess(
            self.workspace.root, database=database, workers=args.workers, accounts=True, model=args.model
        )
        clips = [one for one in open_dataset(args.data) if args.clip is None or one.name in args.clip]
        self.truths = Truths({one.name: cut(one, args.frames) for one in clips})
        self.zips = [as_zip(one, args.frames, args.out) for one in clips]
        self.behaviour = Behaviour(pace=args.pace)
        self.password = secrets.token_hex(8)
        self.project, self.until, self.copies = 0, 0.0, 0

    async def go(self) -> None:
        """All of it, to the stop of the server."""
        self.database.upgrade()
        verifiers = max(1, self.args.annotators // 5)
        people: list[tuple[str, Role]] = [("admin", "admin")]
        people.extend((f"annotator{i}", "annotator") for i in range(self.args.annotators))
        people.extend((f"verifier{i}", "verifier") for i in range(verifiers))
        for name, role in people:
            self.database.run(add_user, name, self.password, role)
        self.size = self.database_size()
        self.server.start()
        await self.server.ready()
        async with Client(self.server.url, "admin", self.password) as admin:
            settings = {"stages": ["track", "verify"], "lease_seconds": LEASE, "simulated": True}
            body = {"name": "load", "phase": 3, "every": self.args.every, "settings": settings}
            self.project = (await admin.post("projects", body))["id"]
            await self.feed(admin, self.args.annotators)
            await admin.wait_for_videos(self.project)
            self.before = self.server.processor_seconds()
            self.started = time.monotonic()
            self.until = self.started + 60 * self.args.minutes
            jobs = [asyncio.create_task(one) for one in (self.feeding(admin), self.chaos(), self.measuring())]
            workers = [asyncio.create_task(self.person(name, role)) for name, role in people[1:]]
            _, late = await asyncio.wait(workers, timeout=60 * self.args.minutes + GRACE)
            self.ended = min(time.monotonic(), self.until)
            for job in [*jobs, *late]:
                job.cancel()
            for outcome in await asyncio.gather(*jobs, *workers, return_exceptions=True):
                if isinstance(outcome, Exception):
                    self.run.errors.append(repr(outcome))
            await self.server.ready()
            self.held, self.recovered = await self.leases()
        self.server.stop()

    def going_on(self) -> bool:
        """Whether new tasks are taken."""
        return time.monotonic() < self.until

    async def person(self, name: str, role: str) -> None:
        """Somebody who works, and who vanishes now and then and comes back later."""
        stages = ["track"] if role == "annotator" else ["verify"]
        while self.going_on():
            async with Client(self.server.url, name, self.password, on_reply=self.run.heard) as client:
                worker = SimulatedAnnotator(client, self.truths, self.behaviour)
                job = asyncio.create_task(worker.work(self.project, stages, go_on=self.going_on))
                stay = self.random.expovariate(1 / self.args.vanish) if self.args.vanish else None
                leaving = None if stay is None or time.monotonic() + stay > self.until else stay
                try:
                    await asyncio.wait_for(job, leaving)
                except (TimeoutError, asyncio.TimeoutError):
                    self.run.vanished += 1
                except (EngineError, ServerGone) as error:
                    self.run.errors.append(f"{name}: {error}")
                self.run.lost += worker.lost
                for stage, count in worker.done.items():
                    self.run.done[stage] = self.run.done.get(stage, 0) + count

    async def feed(self, admin: Client, count: int) -> None:
        """Bring videos in."""
        for _ in range(count):
            path = self.zips[self.copies % len(self.zips)]
            await admin.upload(self.project, path, f"{path.stem}~{self.copies}.zip")
            self.copies += 1

    async def feeding(self, admin: Client) -> None:
        """See that there is always something to track."""
        while self.going_on():
            try:
                project = await admin.get(f"projects/{self.project}")
                there = project["tasks"].get("track", {}).get("open", 0) + project["videos"].get("arriving", 0)
                await self.feed(admin, max(0, self.args.annotators - there))
            except (httpx.TransportError, EngineError, ServerGone):  # it may have arrived, so it is not sent again
                self.run.uploads_cut_off += 1
                self.copies += 1
            await asyncio.sleep(2)

    async def chaos(self) -> None:
        """Kill processes at random moments."""
        clocks = {"worker": self.args.kill_workers, "server": self.args.kill_servers}
        at = {what: time.monotonic() + self.random.expovariate(1 / mean) for what, mean in clocks.items() if mean}
        while at and self.going_on():
            what = min(at, key=lambda one: at[one])
            await asyncio.sleep(max(0.0, at[what] - time.monotonic()))
            if what == "worker" and (pids := self.server.workers()):
                self.server.kill_worker(self.random.choice(pids))
                self.run.kills.append((time.monotonic(), what))
            elif what == "server":
                self.server.kill()
                self.run.kills.append((time.monotonic(), what))
                self.server.start()
                await self.server.ready()
            at[what] = time.monotonic() + self.random.expovariate(1 / clocks[what])

    async def measuring(self) -> None:
        """Note processor time, also of processes that will be killed."""
        while True:
            self.run.processor |= self.server.processor_seconds()
            await asyncio.sleep(0.5)

    async def leases(self) -> tuple[int, int]:
        """How many tasks are held by nobody who is there, and how many of them can be claimed once leases run out."""
        with self.database.reading() as db:
            held = set(db.scalars(select(Task.id).where(Task.state == "leased")))
        await asyncio.sleep(LEASE + 2)
        claimed: set[int] = set()
        for name, stage in (("annotator0", "track"), ("verifier0", "verify")):
            async with Client(self.server.url, name, self.password) as client, AsyncExitStack() as later:
                while (task := await client.claim(self.project, stage)) is not None:
                    claimed.add(task["id"])
                    later.push_async_callback(client.post, f"tasks/{task['id']}/release", {"lease": task["lease"]})
        return len(held), len(held & claimed)

    def database_size(self) -> int:
        """Bytes of the tables and their indices."""
        sqlite = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        query = sqlite if self.database.dialect == "sqlite" else "SELECT pg_database_size(current_database())"
        with self.database.reading() as db:
            return int(db.scalar(text(query)) or 0)

    # Report

    def report(self) -> dict[str, Any]:
        """Figures and complaints."""
        run, wall = self.run, self.ended - self.started
        with self.database.reading() as db:
            masklets = db.scalar(select(func.count()).select_from(Masklet)) or 0
            work = (db.scalar(select(func.sum(Action.seconds))) or 0.0) + (
                db.scalar(select(func.sum(Judgement.seconds))) or 0.0
            )
            states = {f"{stage} {state}": n for stage, state, n in db.execute(
                select(Task.stage, Task.state, func.count()).group_by(Task.stage, Task.state)
            )}  # fmt: skip
            open_actions = db.scalar(select(func.count()).select_from(Action).where(Action.state == "begun"))
        wrong = complaints(self.database, self.workspace, [reply for _, reply in run.replies])
        if self.recovered != self.held:
            wrong.append(f"{self.held - self.recovered} of {self.held} leases were not free after they ran out")
        processor = sum(run.processor.values()) - sum(self.before.values())
        return {
            "database": self.database.dialect,
            "annotators": self.args.annotators,
            "seconds": round(wall, 1),
            "acknowledged actions": len(run.replies),
            "actions a second": round(len(run.replies) / wall, 2),
            "milliseconds, all": {kind: _percentiles(run.replies, kind) for kind in KINDS},
            "milliseconds, no kill within 15 s": {kind: _percentiles(self._undisturbed(), kind) for kind in KINDS},
            "tasks done": run.done,
            "tasks": states,
            "leases lost": run.lost,
            "annotators vanished": run.vanished,
            "leases held at the end, recovered": [self.held, self.recovered],
            "kills": {what: sum(w == what for _, w in run.kills) for what in sorted({w for _, w in run.kills})},
            "uploads cut off": run.uploads_cut_off,
            "actions begun, never answered": open_actions,
            "masklets": masklets,
            "database bytes per 1,000 masklets": round(1000 * (self.database_size() - self.size) / max(1, masklets)),
            "processor seconds of server and workers": round(processor, 1),
            "simulated seconds of work": round(work, 1),
            "annotators a core": round(work / processor, 2) if processor else None,
            "errors": run.errors,
            "complaints": wrong,
        }

    def _undisturbed(self) -> list[tuple[float, Reply]]:
        """Answers to actions that no kill can have delayed."""
        kills = [when for when, what in self.run.kills if what in ("worker", "server")]
        return [
            (when, reply)
            for when, reply in self.run.replies
            if not any(when - reply.seconds - SETTLING < kill < when for kill in kills)
        ]


def _percentiles(replies: Sequence[tuple[float, Reply]], kind: str) -> dict[str, float] | None:
    taken = [1000 * reply.seconds for _, reply in replies if reply.kind == kind]
    if not taken:
        return None
    values = np.percentile(taken, [50, 95, 99, 100])
    return {
        "n": len(taken),
        **{name: round(float(v)) for name, v in zip(("50", "95", "99", "max"), values, strict=True)},
    }


def main() -> None:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data/videos/dev", help="videos with masks, of any known format")
    parser.add_argument("--clip", nargs="+", help="only these of them")
    parser.add_argument("--frames", type=int, default=16, help="length of the clips that are annotated")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--annotators", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--postgresql", action="store_true", help="on a cluster of its own, made for the run")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds waited for each simulated one; 1: as people")
    parser.add_argument("--kill-workers", type=float, default=30.0, help="mean seconds between kills; 0: none")
    parser.add_argument("--kill-servers", type=float, default=120.0)
    parser.add_argument("--vanish", type=float, default=120.0, help="mean seconds until somebody vanishes; 0: never")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out = args.out.absolute()
    args.out.mkdir(parents=True)
    with ExitStack() as stack:
        url = stack.enter_context(postgres_server(sync=True)) if args.postgresql else None
        load = Load(args, url)
        stack.callback(load.database.close)
        stack.callback(load.server.stop)
        asyncio.run(load.go())
        report = load.report()
    print(json.dumps(report, indent=1))
    (args.out / "load.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    sys.exit(1 if report["complaints"] or report["errors"] else 0)


if __name__ == "__main__":
    main()
