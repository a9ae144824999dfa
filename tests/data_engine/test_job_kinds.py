"""A server is killed (SIGKILL) in the middle of a job, and the next one does the rest: nothing twice, nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from exchange_engine import FRAMES, ExchangeEngine, instances, zipped
from masklet.data_engine import job_queue
from masklet.data_engine.database import Database, found
from masklet.data_engine.job_runner import JobRunner
from masklet.data_engine.leftovers import clear
from masklet.data_engine.metrics import Metrics
from masklet.data_engine.schema import Job, JobKind, Mask, Task, now
from masklet.data_engine.workspace import new_key

VIDEOS = 4
SERVER = """
import os, signal, sys, time
from pathlib import Path
from masklet.data_engine import imports, job_kinds, job_runner
from masklet.data_engine.database import Database
from masklet.data_engine.metrics import Metrics
from masklet.data_engine.workspace import Workspace

where, stored, add, replace = sys.argv[1], [], imports._add, os.replace

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def third(*args):
    result = add(*args)
    stored.append(result)
    return die() if len(stored) == 3 else result  # its transaction never ends

def replaced(*args):
    replace(*args)
    die()

if where == "at work":
    job_runner._Kept.report = die
elif where == "storing":
    imports._add = third
else:
    job_kinds.os.replace = replaced
database = Database(f"sqlite:///{sys.argv[2]}")
job_runner.JobRunner(database, Workspace(Path(sys.argv[3])), Metrics(), 1).start()
time.sleep(60)
"""


@pytest.fixture
def engine(sqlite: Database, tmp_path: Path) -> ExchangeEngine:
    return ExchangeEngine(sqlite, tmp_path / "workspace", VIDEOS)


def added(engine: ExchangeEngine, kind: JobKind, body: dict[str, Any]) -> int:
    return engine.database.run(job_queue.add_job, engine.project, kind, body).id


def killed(engine: ExchangeEngine, job: int, where: str, tmp_path: Path) -> None:
    """Let a server begin the job and die there; its lease runs out."""
    command = [sys.executable, "-c", SERVER, where, str(tmp_path / "engine.sqlite"), str(engine.workspace.root)]
    assert subprocess.run(command, timeout=120, env={**os.environ}, check=False).returncode == -9
    with engine.database.begin() as db:
        row = found(db, Job, job)
        assert (row.state, row.tries) == ("running", 1)
        row.lease_expires = now() - timedelta(seconds=1)


def done(engine: ExchangeEngine, job: int) -> Job:
    runner = JobRunner(engine.database, engine.workspace, Metrics(), 1)
    runner.start()
    deadline = time.monotonic() + 120
    while (row := engine.database.run(found, Job, job)).state in ("running", "waiting"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    runner.stop(60.0)
    clear(engine.database, engine.workspace, 7.0)
    assert not [*(engine.workspace.root / "jobs").iterdir()]
    assert not [*(engine.workspace.root / "uploads").iterdir()]
    assert (row.state, row.tries, row.error) == ("done", 2, None)
    return row


@pytest.mark.parametrize(("where", "stored"), [("at work", 0), ("storing", 2)])
def test_an_import(engine: ExchangeEngine, tmp_path: Path, where: str, stored: int):
    key = new_key()
    content = instances([f"v{i}" for i in range(VIDEOS)] + ["elsewhere"])
    shutil.move(zipped(tmp_path / "z", **{"instances.json": content}), engine.workspace.incoming(key))
    job = added(engine, "import", {"key": key, "format": "youtube_vis", "name": "clips.zip"})
    killed(engine, job, where, tmp_path)
    assert engine.objects() == [1] * stored + [0] * (VIDEOS - stored)
    result = done(engine, job).result or {}
    assert engine.objects() == [1] * VIDEOS
    assert (result["videos"], result["objects"], result["masks"]) == (VIDEOS, VIDEOS, VIDEOS * FRAMES)
    assert result["without_video"] == ["elsewhere"]
    with engine.database.reading() as db:
        assert db.scalar(select(func.count()).select_from(Mask)) == VIDEOS * FRAMES
        verify = [task.video_id for task in db.scalars(select(Task).where(Task.stage == "verify"))]
    assert sorted(verify) == engine.videos  # each once


@pytest.mark.parametrize("where", ["at work", "with the archive in its place"])
def test_an_export(engine: ExchangeEngine, tmp_path: Path, where: str):
    engine.draw()
    key = new_key()
    job = added(engine, "export", {"key": key, "format": "youtube_vis", "which": "satisfactory"})
    killed(engine, job, where, tmp_path)
    result = done(engine, job).result or {}
    assert (result["key"], result["videos"]) == (key, VIDEOS)
    assert [path.name for path in (engine.workspace.root / "exports").iterdir()] == [f"{key}.zip"]
    with zipfile.ZipFile(engine.workspace.export(key)) as archive:
        assert archive.testzip() is None
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == VIDEOS * FRAMES
