"""Works on jobs: at least once each, with a lease that is renewed while it works.

The server's threads only watch: what is large or was sent by users is dealt with in child processes.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import socket
from threading import Event, Thread

from ..video.atomic import make_folder
from . import job_queue
from .database import Database, Db, found
from .errors import LeaseLost
from .job_kinds import KINDS, Assignment
from .leftovers import clear
from .metrics import Metrics
from .problems import FAILED
from .projects import video_failed
from .schema import Job
from .workspace import Workspace

log = logging.getLogger(__name__)

_ASK_EVERY = 2.0  # seconds, for jobs that other servers took in
_TELL_EVERY = 1.0
_RENEW_EVERY = 10.0
_CLEAR_EVERY = 600.0


class _Ended(Exception):
    """The job was called off, somebody else has it, or the server stops."""


class JobRunner:
    """Threads that take jobs.

    Args:
        database: The tables.
        workspace: The files.
        metrics: What is counted.
        threads: How many jobs at a time; who works on none removes nothing, either.
        days: How long archives of exports stay.
    """

    def __init__(
        self, database: Database, workspace: Workspace, metrics: Metrics, threads: int, days: float = 7.0
    ) -> None:
        self._database, self._workspace, self._metrics, self._days = database, workspace, metrics, days
        self._holder = f"{socket.gethostname()[:20]} {secrets.token_hex(4)}"
        self._work, self._stopping = Event(), Event()
        self._threads = [Thread(target=self._run, name=f"jobs {i}", daemon=True) for i in range(threads)]
        if threads:
            self._threads.append(Thread(target=self._clear, name="leftovers", daemon=True))

    def start(self) -> None:
        """Begin to take jobs."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """End; jobs that are worked on go back to the queue."""
        self._stopping.set()
        self._work.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)

    def wake(self) -> None:
        """There is a new job."""
        self._work.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._work.clear()
            try:
                job = self._database.run(job_queue.claim_job, list(KINDS), self._holder)
                if job is not None:
                    self._do(job)
                    continue
            except Exception:
                log.exception("could not take a job")
            self._work.wait(_ASK_EVERY)

    def _clear(self) -> None:
        while not self._stopping.is_set():
            try:
                clear(self._database, self._workspace, self._days)
            except Exception:
                log.exception("could not remove what jobs left")
            self._stopping.wait(_CLEAR_EVERY)

    def _do(self, job: Job) -> None:
        folder = self._workspace.scratch(job_queue.key_of(job))
        with _Kept(self._database, job, self._stopping) as kept:
            outcome = "done"
            try:
                make_folder(folder)
                given = Assignment(self._database, self._workspace, job, folder, kept.report, kept.check)
                result = KINDS[job.kind](given)  # type: ignore[index]
                self._database.run(job_queue.finish_job, job.id, kept.lease, result)
            except _Ended:
                outcome = "ended"
                if self._stopping.is_set():
                    self._database.run(_give_back, job.id, kept.lease)
            except LeaseLost:
                outcome = "ended"
            except (ValueError, LookupError) as error:  # what was given is at fault: a sentence for the user
                outcome = "failed"
                self._fail(job, kept.lease, self._sentence(error), final=True)
            except Exception:
                outcome = "failed"
                log.exception("job %d (%s) failed", job.id, job.kind)
                self._fail(job, kept.lease, FAILED, final=False)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        self._metrics.jobs.labels(job.kind, outcome).inc()

    def _fail(self, job: Job, lease: str, sentence: str, *, final: bool) -> None:
        def fail(db: Db) -> None:
            failed = job_queue.fail_job(db, job.id, lease, sentence, final)
            if failed.state == "failed" and failed.kind == "ingest" and failed.video_id is not None:
                video_failed(db, failed.video_id, sentence)

        try:
            self._database.run(fail)
        except (LeaseLost, LookupError):
            log.info("job %d is no longer ours", job.id)

    def _sentence(self, error: Exception) -> str:
        """What a user reads of an error; no path of this machine is in it."""
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        return text.replace(f"{self._workspace.root}", "…") or FAILED


def _give_back(db: Db, job_id: int, lease: str) -> None:
    """Let somebody else do it; this try does not count."""
    job = found(db, Job, job_id)
    if job.lease == lease and job.state == "running":
        job.state, job.tries = "waiting", job.tries - 1


class _Kept:
    """Keeps the lease of a job that is worked on, and tells how far it is."""

    def __init__(self, database: Database, job: Job, stopping: Event) -> None:
        assert job.lease is not None
        self.lease: str = job.lease
        self._database, self._job_id, self._stopping = database, job.id, stopping
        self._progress, self._lost, self._over = 0.0, Event(), Event()
        self._thread = Thread(target=self._keep, name=f"lease of job {job.id}", daemon=True)

    def __enter__(self) -> _Kept:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def report(self, progress: float) -> None:
        """Say how much is done, 0 to 1.

        Raises:
            _Ended: The job shall end.
        """
        self._progress = progress
        self.check()

    def check(self) -> None:
        """Say nothing.

        Raises:
            _Ended: The job shall end.
        """
        if self._lost.is_set() or self._stopping.is_set():
            raise _Ended

    def _keep(self) -> None:
        told, silent = -1.0, 0.0
        while not self._over.wait(_TELL_EVERY):
            silent += _TELL_EVERY
            if self._progress == told and silent < _RENEW_EVERY:
                continue
            told, silent = self._progress, 0.0
            try:
                cancelled = self._database.run(job_queue.job_progress, self._job_id, self.lease, told)
            except (LeaseLost, LookupError):
                cancelled = True
            except Exception:
                log.exception("could not renew the lease of job %d", self._job_id)
                continue
            if cancelled:
                self._lost.set()
