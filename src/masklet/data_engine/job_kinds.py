"""What the kinds of jobs do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .automatic_job import find_masklets, propose
from .database import Database, Db, found
from .errors import LeaseLost
from .export_job import export_in_process
from .imports import Imported, import_masklets
from .ingest import ingest
from .job_queue import finish_job, record_job
from .projects import video_ready
from .schema import Job, JobKind, Project, Video
from .tasks import add_verify_tasks_for_automatic
from .workspace import Workspace


@dataclass(frozen=True)
class Assignment:
    """A job to do.

    Attributes:
        database: The tables.
        workspace: The files.
        job: The job.
        folder: For files of this try; it is removed afterwards.
        report: Is told how much is done, 0 to 1; its error is raised and ends the job.
        check: Is called now and then while there is nothing to tell; likewise.
    """

    database: Database
    workspace: Workspace
    job: Job
    folder: Path
    report: Callable[[float], None]
    check: Callable[[], None]


def _ingest(given: Assignment) -> dict[str, Any]:
    """What a user sent becomes frames; then it is not needed any more."""
    video = given.database.run(found, Video, given.job.video_id or 0)
    source = given.workspace.incoming(video.key)
    if video.state == "ready":
        source.unlink(missing_ok=True)
        return {}
    with _unlinked_if_wrong(source):
        pack = ingest(
            source,
            given.folder / "frames.pack",
            on_progress=lambda frames, of: given.report(frames / max(frames, of, 1)),
            name=video.name,
        )
    try:
        (height, width), frames, fps = pack.size, pack.length or 0, pack.fps
    finally:
        pack.close()
    os.replace(given.folder / "frames.pack", given.workspace.pack(video.key))
    given.database.run(video_ready, video.id, width, height, frames, fps)
    source.unlink(missing_ok=True)
    return {"frames": frames}


def _automatic(given: Assignment) -> dict[str, Any]:
    """A model proposes masklets, which go to verification."""
    job, lease, video_id = given.job, given.job.lease or "", given.job.video_id or 0
    video = given.database.run(found, Video, video_id)
    project = given.database.run(found, Project, job.project_id)
    masklets = find_masklets(
        given.workspace.pack(video.key),
        project.model,
        given.workspace.automatic(video.key),
        project.every,
        lambda done, of: given.report(done / max(done, of, 1)),
    )

    def end(db: Db) -> dict[str, Any]:
        """All at once, so that a job which is done twice proposes nothing twice."""
        objects = propose(db, video_id, masklets)
        add_verify_tasks_for_automatic(db, video_id)
        result = {"objects": len(objects)}
        finish_job(db, job.id, lease, result)
        return result

    return given.database.run(end)


def _export(given: Assignment) -> dict[str, Any]:
    """An archive that can be fetched, of a name that nobody can guess; another try replaces it."""
    body, out = given.job.body, given.folder / "export.zip"
    exported = export_in_process(
        given.database,
        given.workspace,
        given.job.project_id,
        body["format"],
        out,
        given.report,
        given.check,
        which=body["which"],
    )
    os.replace(out, given.workspace.export(body["key"]))
    return {"key": body["key"], **exported}


def _import(given: Assignment) -> dict[str, Any]:
    """Objects of a data set, to be verified. What a try has stored is noted with it, and the next one goes on there."""
    body, job, lease = given.job.body, given.job, given.job.lease or ""
    source = given.workspace.incoming(body["key"])
    with _unlinked_if_wrong(source):
        imported = import_masklets(
            given.database,
            job.project_id,
            source,
            body["format"],
            name=body["name"],
            folder=given.folder,
            user_id=job.created_by,
            so_far=Imported(
                **{**(job.result or {}), "without_video": ()}
            ),  # JSON has no tuples; it is known at the end
            record=lambda db, so_far: record_job(db, job.id, lease, asdict(so_far)),
            on_progress=given.report,
            on_wait=given.check,
        )
    given.database.run(finish_job, job.id, lease, asdict(imported))
    source.unlink()  # not before: another try would need it
    return asdict(imported)


@contextmanager
def _unlinked_if_wrong(source: Path) -> Iterator[None]:
    """What a user sent is not kept if it is at fault; whatever else goes wrong, it may be tried again."""
    try:
        yield
    except LeaseLost:  # whoever has the job needs it
        raise
    except (ValueError, LookupError):
        source.unlink(missing_ok=True)
        raise


KINDS: dict[JobKind, Callable[[Assignment], dict[str, Any]]] = {
    "ingest": _ingest,
    "automatic": _automatic,
    "export": _export,
    "import": _import,
}
