"""Jobs: what takes long and nobody waits for, done at least once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select

from .database import Db, found, locked
from .errors import LeaseLost, Refused
from .schema import Job, JobKind, Project, now

LEASE = 60.0
"""Seconds without a word of progress after which a job is somebody else's."""
MOST_TRIES = 3


def add_job(
    db: Db,
    project_id: int,
    kind: JobKind,
    body: dict[str, Any],
    video_id: int | None = None,
    user_id: int | None = None,
    at: datetime | None = None,
) -> Job:
    """Queue a job.

    Raises:
        NotFound: There is no such project.
    """
    found(db, Project, project_id)
    row = Job(project_id=project_id, video_id=video_id, kind=kind, body=body, created_by=user_id, created=at or now())
    db.add(row)
    db.flush()
    return row


def claim_job(db: Db, kinds: Sequence[JobKind], holder: str, at: datetime | None = None) -> Job | None:
    """The oldest job of these kinds that nobody has, now under ``job.lease``; None: nothing is to be done.

    One whose holder fell silent counts as a try; after MOST_TRIES it has failed.

    Args:
        db: The transaction.
        kinds: What the caller can do.
        holder: Name of the caller.
        at: The time.
    """
    at = at or now()
    silent = and_(Job.state == "running", Job.lease_expires < at)
    query = select(Job).where(Job.kind.in_(kinds), or_(Job.state == "waiting", silent)).order_by(Job.id).limit(1)
    while (job := db.scalar(query.with_for_update(skip_locked=True, key_share=True))) is not None:
        if job.tries < MOST_TRIES:
            job.state, job.tries = "running", job.tries + 1
            job.lease = f"{holder[:31]}.{secrets.token_hex(16)}"
            job.lease_expires = at + timedelta(seconds=LEASE)
            db.flush()
            return job
        job.state, job.error, job.done = "failed", f"it was tried {job.tries} times and never came to an end", at
        db.flush()
    return None


def job_progress(db: Db, job_id: int, lease: str, progress: float, at: datetime | None = None) -> bool:
    """Say how far a job is, 0..1, and keep it; says whether it was cancelled.

    Raises:
        LeaseLost: Somebody else has it.
    """
    job = _held(db, job_id, lease)
    if job.state == "running":
        job.progress = min(max(progress, 0.0), 1.0)
        job.lease_expires = (at or now()) + timedelta(seconds=LEASE)
        db.flush()
    return job.state == "cancelled"


def record_job(db: Db, job_id: int, lease: str, result: dict[str, Any]) -> None:
    """Note what has come of a job so far, in the transaction that does it: whoever tries again goes on there.

    Raises:
        LeaseLost: Somebody else has it, or it was cancelled.
    """
    job = _held(db, job_id, lease)
    if job.state != "running":
        raise LeaseLost(f"job {job_id} is {job.state}")
    job.result = result
    db.flush()


def finish_job(
    db: Db, job_id: int, lease: str, result: dict[str, Any] | None = None, at: datetime | None = None
) -> Job:
    """A job is done; one that was cancelled stays so.

    Raises:
        LeaseLost: Somebody else has it.
    """
    job = _held(db, job_id, lease)
    if job.state == "running":
        job.state, job.progress, job.result, job.error, job.done = "done", 1.0, result, None, at or now()
        db.flush()
    return job


def fail_job(db: Db, job_id: int, lease: str, error: str, final: bool = False, at: datetime | None = None) -> Job:
    """A job failed: it waits to be tried again, up to MOST_TRIES in all, unless that is ``final``.

    Raises:
        LeaseLost: Somebody else has it.
    """
    job = _held(db, job_id, lease)
    if job.state == "running":
        job.error = error
        if final or job.tries >= MOST_TRIES:
            job.state, job.done = "failed", at or now()
        else:
            job.state = "waiting"
        db.flush()
    return job


def cancel_job(db: Db, job_id: int, at: datetime | None = None) -> Job:
    """Call a job off; who works on it hears of it by ``job_progress``.

    Raises:
        NotFound: There is no such job.
        Refused: It has come to an end.
    """
    job = locked(db, Job, job_id)
    if job.state in ("done", "failed"):
        raise Refused(f"the job is {job.state}: there is nothing to cancel")
    job.state, job.done = "cancelled", job.done or at or now()
    db.flush()
    return job


def jobs_of(db: Db, project_id: int, most: int = 100) -> list[Job]:
    """The latest jobs of a project, newest first."""
    return list(db.scalars(select(Job).where(Job.project_id == project_id).order_by(Job.id.desc()).limit(most)))


def key_of(job: Job) -> str:
    """A key of the workspace for this try of a job that somebody has, or had; nobody can guess it."""
    return (job.lease or "").rsplit(".", 1)[-1]


def _held(db: Db, job_id: int, lease: str) -> Job:
    job = locked(db, Job, job_id)
    if job.lease != lease or job.state == "waiting":
        raise LeaseLost(f"job {job_id} is no longer yours: you were silent for more than {LEASE:.0f} s")
    return job
