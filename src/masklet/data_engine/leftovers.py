"""What jobs leave in the workspace, and how long it stays: archives of exports, and what a killed server began."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from .database import Database, Db, locked
from .errors import Refused
from .job_queue import key_of
from .schema import Job, now
from .workspace import Workspace

_ENDED = ("done", "failed", "cancelled")


def expires(job: Job, days: float) -> datetime | None:
    """When the archive of an export goes; None: there is none, or it is kept.

    Args:
        job: The job.
        days: How long archives stay.
    """
    if "key" not in (job.result or {}) or job.done is None or kept(job):
        return None
    return job.done + timedelta(days=days)


def kept(job: Job) -> bool:
    """Whether somebody asked that the archive of an export stays."""
    return bool(job.body.get("keep"))


def keep_archive(db: Db, job_id: int, keep: bool) -> Job:
    """Keep the archive of an export until somebody says otherwise, or no longer.

    Raises:
        NotFound: There is no such job.
        Refused: It has no archive, or no longer.
    """
    job = locked(db, Job, job_id)
    if "key" not in (job.result or {}):
        raise Refused("the job has no archive, or no longer: export again")
    job.body = {**job.body, "keep": keep}
    db.flush()
    return job


def clear(database: Database, workspace: Workspace, days: float, at: datetime | None = None) -> None:
    """Remove archives that are due, and files of jobs that have ended; several servers may do so at once.

    Args:
        database: The tables.
        workspace: The files.
        days: How long archives of exports stay.
        at: The time.
    """
    exports, scratch = workspace.exports(), workspace.scratches()  # before the jobs: a job is there before its files
    archives, folders, uploads = database.run(_needed, days, at or now())
    for key in exports - archives:
        workspace.export(key).unlink(missing_ok=True)
    for key in scratch - folders:
        shutil.rmtree(workspace.scratch(key), ignore_errors=True)
    for key in uploads:
        workspace.incoming(key).unlink(missing_ok=True)


def _needed(db: Db, days: float, at: datetime) -> tuple[set[str], set[str], set[str]]:
    """Keys of archives that stay, of scratch folders that are worked in, and of uploads that are done with."""
    archives: set[str] = set()
    folders: set[str] = set()
    uploads: set[str] = set()
    for job in db.scalars(select(Job).where(or_(Job.state == "running", Job.kind.in_(("export", "import"))))):
        if job.state == "running":
            folders.add(key_of(job))
        if job.kind == "export":
            due = expires(job, days)
            if due is not None and due <= at:
                job.result = {name: value for name, value in (job.result or {}).items() if name != "key"}
            holds = (job.result or {}) if job.state in _ENDED else job.body
            archives |= {holds["key"]} if "key" in holds else set()
        elif job.kind == "import" and job.state in _ENDED:
            uploads.add(job.body["key"])
    return archives, folders, uploads
