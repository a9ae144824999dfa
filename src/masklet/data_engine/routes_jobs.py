"""Jobs: automatic masklets, exports and imports, and how far they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel, TypeAdapter, ValidationError

from . import audit, job_queue, leftovers
from .callers import Caller, Manages, Oversees, Sees
from .database import Db, found
from .errors import NotFound, Refused
from .export_job import Format
from .fields import Body, Id, LimitQuery
from .finished_masks import Which
from .imports import IMPORT_FORMATS, ImportFormat
from .problems import ALWAYS, file_of, problems, rejection
from .schema import Job, JobKind, JobState, Project, Video
from .serving import Parts
from .uploads import form_body, receive
from .workspace import new_key

router = APIRouter(prefix="/api", tags=["jobs"], responses=problems(*ALWAYS, 404))

_import_format = TypeAdapter[ImportFormat](ImportFormat)


class JobAnswer(BaseModel):
    """A job; ``progress`` goes from 0 to 1.

    ``file`` says whether there is one to fetch, ``expires`` when it goes, unless it is ``kept``.
    """

    id: int
    project: int
    video: int | None
    kind: JobKind
    state: JobState
    format: str | None
    progress: float
    error: str | None
    result: dict[str, Any] | None
    file: bool
    kept: bool
    expires: datetime | None
    created: datetime
    done: datetime | None


class KeepBody(Body):
    """Whether an archive stays until somebody says otherwise."""

    keep: bool


class ExportBody(Body):
    """What to export: masklets that a verifier accepted, or all."""

    format: Format
    which: Which = "satisfactory"


@router.post("/videos/{video_id}/automatic", status_code=202, responses=problems(409))
def find_masklets(video_id: Id, caller: Manages, serving: Parts) -> JobAnswer:
    """Let the model propose masklets of everything in a video, for verification."""

    def add(db: Db) -> Job:
        video = found(db, Video, video_id)
        if video.state != "ready":
            raise Refused(f"the video is {video.state}: its frames are not there")
        return _added(db, video.project_id, "automatic", {}, caller, video_id)

    return _begun(serving, serving.write(add))


@router.post("/projects/{project_id}/exports", status_code=202)
def export(project_id: Id, body: ExportBody, caller: Manages, serving: Parts) -> JobAnswer:
    """Write the masklets of a project in a format of other tools."""
    wanted = {"key": new_key(), "format": body.format, "which": body.which}
    return _begun(serving, serving.write(_added, project_id, "export", wanted, caller))


@router.post(
    "/projects/{project_id}/imports",
    status_code=202,
    openapi_extra=form_body(format={"type": "string", "enum": list(IMPORT_FORMATS)}),
)
async def import_masklets(project_id: Id, request: Request, caller: Manages, serving: Parts) -> JobAnswer:
    """Take masks over that were made elsewhere, for the videos of the same names; a zip archive."""
    await run_in_threadpool(serving.read, found, Project, project_id)
    key = new_key()
    path = serving.workspace.incoming(key)
    upload = await receive(request, path, serving.settings.upload_bytes, ("format",))
    try:
        body = {"key": key, "format": _import_format.validate_python(upload.fields.get("format")), "name": upload.name}
        row = await run_in_threadpool(serving.write, _added, project_id, "import", body, caller)
    except ValidationError as error:
        path.unlink(missing_ok=True)
        raise rejection(error) from None  # type: ignore[misc]
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _begun(serving, row)


@router.get("/projects/{project_id}/jobs")
def jobs(project_id: Id, caller: Sees, serving: Parts, limit: LimitQuery = 100) -> list[JobAnswer]:
    """The latest jobs of a project, newest first."""

    def answers(db: Db) -> list[JobAnswer]:
        found(db, Project, project_id)
        return [_answer(serving, row) for row in job_queue.jobs_of(db, project_id, limit)]

    return serving.read(answers)


@router.get("/jobs/{job_id}")
def job(job_id: Id, caller: Sees, serving: Parts) -> JobAnswer:
    """A job."""
    return serving.read(lambda db: _answer(serving, found(db, Job, job_id)))


@router.post("/jobs/{job_id}/cancel", responses=problems(409))
def cancel(job_id: Id, caller: Manages, serving: Parts) -> JobAnswer:
    """Call a job off."""

    def end(db: Db) -> JobAnswer:
        row = job_queue.cancel_job(db, job_id)
        audit.record(db, caller.id, caller.address, "cancel_job", f"{row.kind} {row.id}")
        return _answer(serving, row)

    return serving.write(end)


@router.post("/jobs/{job_id}/keep", responses=problems(409))
def keep(job_id: Id, body: KeepBody, caller: Manages, serving: Parts) -> JobAnswer:
    """Keep the archive of an export, or let it go when its time is over."""

    def change(db: Db) -> JobAnswer:
        row = leftovers.keep_archive(db, job_id, body.keep)
        audit.record(db, caller.id, caller.address, "keep_export" if body.keep else "let_export_go", f"job {job_id}")
        return _answer(serving, row)

    return serving.write(change)


@router.get("/jobs/{job_id}/file", response_class=Response, responses=file_of("application/zip", "What was exported."))
def file(job_id: Id, caller: Oversees, serving: Parts) -> FileResponse:
    """The archive that an export made."""
    row = serving.read(found, Job, job_id)
    key = (row.result or {}).get("key")
    path = None if key is None else serving.workspace.export(key)
    if path is None or not path.is_file():
        raise NotFound("the job has no file, or no longer: export again")
    name = f"{row.body.get('format', 'export')}-{row.id}.zip"
    return FileResponse(path, media_type="application/zip", filename=name)


def _added(
    db: Db, project_id: int, kind: JobKind, body: dict[str, Any], caller: Caller, video_id: int | None = None
) -> Job:
    row = job_queue.add_job(db, project_id, kind, body, video_id, caller.id)
    audit.record(db, caller.id, caller.address, f"add_{kind}", f"project {project_id}")
    return row


def _begun(serving: Parts, row: Job) -> JobAnswer:
    serving.runner.wake()
    return _answer(serving, row)


def _answer(serving: Parts, row: Job) -> JobAnswer:
    result = None if row.result is None else {name: value for name, value in row.result.items() if name != "key"}
    return JobAnswer(
        id=row.id,
        project=row.project_id,
        video=row.video_id,
        kind=row.kind,  # type: ignore[arg-type]
        state=row.state,  # type: ignore[arg-type]
        format=row.body.get("format"),
        progress=row.progress,
        error=row.error,
        result=result,
        file="key" in (row.result or {}),
        kept=leftovers.kept(row),
        expires=leftovers.expires(row, serving.settings.export_days),
        created=row.created,
        done=row.done,
    )
