from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from masklet.data_engine import job_queue, job_runner
from masklet.data_engine.database import Database, found
from masklet.data_engine.job_kinds import KINDS, Assignment
from masklet.data_engine.job_runner import JobRunner
from masklet.data_engine.metrics import Metrics
from masklet.data_engine.projects import add_project
from masklet.data_engine.schema import Job
from masklet.data_engine.workspace import Workspace

PATIENCE = 20.0


class Runs:
    """A runner, and what its jobs of kind export do."""

    def __init__(self, database: Database, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database, self.workspace = database, workspace
        self.work: Callable[[Assignment], dict[str, Any]] = lambda given: {}
        monkeypatch.setitem(KINDS, "export", lambda given: self.work(given))
        monkeypatch.setattr(job_runner, "_TELL_EVERY", 0.02)
        self.project = database.run(add_project, "people", 3, "nano").id
        self.runner = JobRunner(database, workspace, Metrics(), 1)
        self.runner.start()

    def add(self) -> int:
        job = self.database.run(job_queue.add_job, self.project, "export", {})
        self.runner.wake()
        return job.id

    def until(self, job: int, *states: str) -> Job:
        deadline = time.monotonic() + PATIENCE
        while (row := self.database.run(found, Job, job)).state not in states:
            assert time.monotonic() < deadline, row.state
            time.sleep(0.01)
        return row


@pytest.fixture
def runs(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    one = Runs(sqlite, Workspace(tmp_path / "workspace"), monkeypatch)
    yield one
    one.runner.stop()


def test_a_job_is_done(runs: Runs):
    runs.work = lambda given: {"videos": 3}
    row = runs.until(runs.add(), "done")
    assert (row.result, row.progress, row.error) == ({"videos": 3}, 1.0, None)


def test_progress_is_told_and_the_lease_renewed(runs: Runs, monkeypatch: pytest.MonkeyPatch):
    seen: list[float] = []

    def work(given: Assignment) -> dict[str, Any]:
        given.report(0.5)
        deadline = time.monotonic() + PATIENCE
        while not seen and time.monotonic() < deadline:
            progress = runs.database.run(found, Job, given.job.id).progress
            seen.extend([progress] if progress else [])
        return {}

    runs.work = work
    runs.until(runs.add(), "done")
    assert seen == [0.5]


def test_what_a_user_did_wrong_is_said_and_not_tried_again(runs: Runs):
    def work(given: Assignment) -> dict[str, Any]:
        raise ValueError(f"{runs.workspace.root}/x is no movie")

    runs.work = work
    row = runs.until(runs.add(), "failed")
    assert (row.tries, row.error) == (1, "…/x is no movie")


def test_what_broke_is_tried_again_and_nothing_is_told(runs: Runs):
    tried = []

    def work(given: Assignment) -> dict[str, Any]:
        tried.append(given.job.id)
        raise RuntimeError("a secret place")

    runs.work = work
    row = runs.until(runs.add(), "failed")
    assert len(tried) == job_queue.MOST_TRIES
    assert row.error == "the server failed; its log says why"


@pytest.mark.parametrize("how", ["cancelled", "stopped"])
def test_work_ends_when_it_is_not_wanted(runs: Runs, how: str):
    begun = []

    def work(given: Assignment) -> dict[str, Any]:
        begun.append(1)
        while True:
            given.report(0.1)
            time.sleep(0.01)

    runs.work = work
    job = runs.add()
    while not begun:
        time.sleep(0.01)
    if how == "cancelled":
        runs.database.run(job_queue.cancel_job, job)
        runs.work = lambda given: {}
        runs.until(runs.add(), "done")  # it goes on with the next one
        assert runs.until(job, "cancelled").result is None
    else:
        runs.runner.stop()
        row = runs.until(job, "waiting")
        assert row.tries == 0  # it is done by the next server
