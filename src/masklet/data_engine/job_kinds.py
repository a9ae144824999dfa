"""What the kinds of jobs do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .automatic_job import find_masklets, propose
from .database import Database, Db, found
from .errors import Refused
from .exports import export_project
from .imports import import_masklets
from .ingest import ingest
from .job_queue import finish_job
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
        report: Is told how much is done, 0 to 1; its error is raised and ends the job.
    """

    database: Database
    workspace: Workspace
    job: Job
    report: Callable[[float], None]


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
            given.workspace.pack(video.key),
            on_progress=lambda frames, of: given.report(frames / max(frames, of, 1)),
            name=video.name,
        )
    try:
        (height, width), frames, fps = pack.size, pack.length or 0, pack.fps
    finally:
        pack.close()
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
    """An archive that can be fetched; its key is that of the job's lease, nobody can guess it."""
    body, key = given.job.body, _key_of(given.job)
    out = given.workspace.export(key)
    exported = export_project(
        given.database, given.workspace, given.job.project_id, body["format"], out, given.report, which=body["which"]
    )
    return {"key": key, **asdict(exported)}


def _import(given: Assignment) -> dict[str, Any]:
    """Objects of a data set, to be verified; once, as objects that are there already would be there twice."""
    body, job = given.job.body, given.job
    if job.tries > 1:
        raise Refused("the import was interrupted: see which videos have objects, and import the others")
    came = given.workspace.incoming(body["key"])
    ending = Path(body["name"]).suffix.lower()
    source = came.replace(came.with_suffix(ending)) if ending in (".json", ".xml") else came  # else it is an archive
    with _unlinked_if_wrong(source):
        imported = import_masklets(
            given.database, job.project_id, source, body["format"], user_id=job.created_by, on_progress=given.report
        )
    source.unlink()
    return asdict(imported)


@contextmanager
def _unlinked_if_wrong(source: Path) -> Iterator[None]:
    """What a user sent is not kept if it is at fault; whatever else goes wrong, it may be tried again."""
    try:
        yield
    except (ValueError, LookupError):
        source.unlink(missing_ok=True)
        raise


def _key_of(job: Job) -> str:
    return (job.lease or "").rsplit(".", 1)[-1]


KINDS: dict[JobKind, Callable[[Assignment], dict[str, Any]]] = {
    "ingest": _ingest,
    "automatic": _automatic,
    "export": _export,
    "import": _import,
}
