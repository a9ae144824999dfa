from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from masklet.data_engine import job_queue
from masklet.data_engine.database import Database, found
from masklet.data_engine.errors import Refused
from masklet.data_engine.leftovers import clear, expires, keep_archive
from masklet.data_engine.projects import add_project
from masklet.data_engine.schema import Job, JobKind
from masklet.data_engine.workspace import Workspace, new_key

BEGUN = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAYS = 7.0


class Jobs:
    """Jobs, and the files that they leave."""

    def __init__(self, database: Database, workspace: Workspace) -> None:
        self.database, self.workspace = database, workspace
        self.project = database.run(add_project, "people", 3, "nano").id

    def begin(self, kind: JobKind) -> tuple[int, str]:
        """Id and key of a job that somebody works on."""
        key = new_key()
        self.database.run(job_queue.add_job, self.project, kind, {"key": key, "format": "coco"}, at=BEGUN)
        job = self.database.run(job_queue.claim_job, [kind], "server", BEGUN)
        assert job is not None
        self.workspace.scratch(job_queue.key_of(job)).mkdir()
        (self.workspace.export(key) if kind == "export" else self.workspace.incoming(key)).write_bytes(b"PK")
        return job.id, key

    def end(self, job: int, result: dict[str, Any], at: datetime = BEGUN) -> None:
        lease = self.row(job).lease or ""
        self.database.run(job_queue.finish_job, job, lease, result, at)

    def row(self, job: int) -> Job:
        return self.database.run(found, Job, job)

    def after(self, days: float) -> set[str]:
        """What is there when somebody cleared up so many days later."""
        clear(self.database, self.workspace, DAYS, BEGUN + timedelta(days=days))
        folders = (self.workspace.root / name for name in ("exports", "uploads", "jobs"))
        return {path.stem for folder in folders for path in folder.iterdir()}


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Jobs:
    return Jobs(database, Workspace(tmp_path / "workspace"))


def test_archives_go_after_their_time_unless_they_are_kept(jobs: Jobs):
    (one, goes), (other, stays) = jobs.begin("export"), jobs.begin("export")
    for job, key in ((one, goes), (other, stays)):
        jobs.end(job, {"key": key, "videos": 1})
    jobs.database.run(keep_archive, other, True)
    assert expires(jobs.row(one), DAYS) == BEGUN + timedelta(days=7)
    assert expires(jobs.row(other), DAYS) is None
    assert jobs.after(6.99) == {goes, stays}
    assert jobs.after(7) == {stays}
    assert jobs.row(one).result == {"videos": 1}  # what it was is still known
    with pytest.raises(Refused, match="no archive, or no longer: export again"):
        jobs.database.run(keep_archive, one, True)
    assert jobs.after(1000) == {stays}
    jobs.database.run(keep_archive, other, False)
    assert jobs.after(1000) == set()


def test_work_that_is_going_on_is_left_alone_and_what_it_left_goes(jobs: Jobs):
    begun = [jobs.begin("export"), jobs.begin("import")]
    tries = {job_queue.key_of(jobs.row(job)) for job, _ in begun}
    assert jobs.after(100) == {key for _, key in begun} | tries
    for job, _ in begun:
        jobs.database.run(job_queue.cancel_job, job)
    assert jobs.after(100) == set()


def test_what_somebody_uploads_is_left_alone(jobs: Jobs):
    key = new_key()
    jobs.workspace.incoming(key).write_bytes(b"PK")
    assert jobs.after(100) == {key}
