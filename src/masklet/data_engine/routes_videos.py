"""Videos of a project: bringing them in, and their frames."""

from __future__ import annotations

import hashlib
import struct
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from sqlalchemy import select

from . import audit, job_queue, projects
from .callers import Caller, Manages, Sees
from .database import Db, found
from .errors import NotFound
from .fields import LONGEST_VIDEO, FirstQuery, Id
from .model_pool import Busy
from .problems import ALWAYS, file_of, problems
from .schema import Project, Session, Video, VideoState
from .serving import Parts
from .uploads import form_body, receive
from .workspace import new_key

router = APIRouter(prefix="/api", tags=["videos"], responses=problems(*ALWAYS, 404))

_KEPT_BY_BROWSERS = "private, max-age=604800, immutable"  # frames of a video never change
_LENGTH = struct.Struct("<I")


class VideoAnswer(BaseModel):
    """A video; its size, length and rate are known once it is ready."""

    id: int
    project: int
    name: str
    state: VideoState
    error: str | None
    width: int | None
    height: int | None
    frames: int | None
    fps: float | None
    created: datetime


@router.get("/projects/{project_id}/videos")
def videos(project_id: Id, caller: Sees, serving: Parts) -> list[VideoAnswer]:
    """Videos of a project by name."""

    def answers(db: Db) -> list[VideoAnswer]:
        found(db, Project, project_id)
        return [answer_of(video) for video in projects.videos_of(db, project_id)]

    return serving.read(answers)


@router.post(
    "/projects/{project_id}/videos",
    status_code=202,
    responses=problems(409),
    openapi_extra=form_body(),
)
async def upload_video(project_id: Id, request: Request, caller: Manages, serving: Parts) -> VideoAnswer:
    """Bring a video, an image, or a zip of images in; its frames are read by a job."""
    await run_in_threadpool(serving.read, found, Project, project_id)  # before anything arrives
    key = new_key()
    path = serving.workspace.incoming(key)
    upload = await receive(request, path, serving.settings.upload_bytes)
    try:
        answer = await run_in_threadpool(serving.write, _arriving, project_id, upload.name, key, caller)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    serving.runner.wake()
    return answer


@router.get("/videos/{video_id}")
def video(video_id: Id, caller: Sees, serving: Parts) -> VideoAnswer:
    """A video."""
    return serving.read(lambda db: answer_of(found(db, Video, video_id)))


@router.delete("/videos/{video_id}", status_code=204, responses=problems(409))
async def remove_video(video_id: Id, caller: Manages, serving: Parts) -> None:
    """Remove a video with all work on it."""

    def remove(db: Db) -> projects.RemovedVideo:
        name = found(db, Video, video_id).name
        audit.record(db, caller.id, caller.address, "remove_video", name)
        return projects.remove_video(db, video_id)

    sessions = await run_in_threadpool(serving.read, _open_sessions, video_id)
    for session_id in sessions:
        with suppress(Busy):  # no worker has it
            await serving.pool.call(session_id, {"do": "close"})
    gone = await run_in_threadpool(serving.write, remove)
    serving.packs.forget(gone.key)
    await run_in_threadpool(serving.workspace.remove_video, gone.key, gone.sessions)


@router.get(
    "/videos/{video_id}/frames/{frame}",
    response_class=Response,
    responses={**file_of("image/jpeg", "The frame."), 304: {"description": "It has not changed."}},
)
def frame(
    video_id: Id,
    frame: Annotated[int, Path(ge=0, lt=LONGEST_VIDEO)],
    caller: Sees,
    serving: Parts,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A frame as JPEG."""
    key = serving.read(_key, video_id)
    tag = f'"{hashlib.sha256(key.encode()).hexdigest()[:16]}-{frame}"'
    kept = {"ETag": tag, "Cache-Control": _KEPT_BY_BROWSERS}
    if if_none_match is not None and tag in if_none_match:
        return Response(status_code=304, headers=kept)
    (file,) = serving.packs.jpegs(key, frame, 1)
    return Response(file, media_type="image/jpeg", headers=kept)


@router.get(
    "/videos/{video_id}/frames",
    response_class=Response,
    responses=file_of("application/octet-stream", "Of each frame its length in 4 bytes, little-endian, and a JPEG."),
)
def frames(
    video_id: Id,
    caller: Sees,
    serving: Parts,
    first: FirstQuery = 0,
    count: Annotated[int, Query(ge=1, le=64)] = 16,
) -> Response:
    """Several frames at once."""
    key = serving.read(_key, video_id)
    files = serving.packs.jpegs(key, first, count)
    body = b"".join(part for file in files for part in (_LENGTH.pack(len(file)), file))
    return Response(body, media_type="application/octet-stream", headers={"Cache-Control": _KEPT_BY_BROWSERS})


def answer_of(video: Video) -> VideoAnswer:
    """A video as clients get it."""
    return VideoAnswer(
        id=video.id,
        project=video.project_id,
        name=video.name,
        state=video.state,  # type: ignore[arg-type]
        error=video.error,
        width=video.width,
        height=video.height,
        frames=video.frames,
        fps=video.fps,
        created=video.created,
    )


def _arriving(db: Db, project_id: int, name: str, key: str, caller: Caller) -> VideoAnswer:
    row = projects.add_video(db, project_id, name, key)
    job_queue.add_job(db, project_id, "ingest", {}, row.id, caller.id)
    audit.record(db, caller.id, caller.address, "add_video", name)
    return answer_of(row)


def _open_sessions(db: Db, video_id: int) -> list[int]:
    found(db, Video, video_id)
    open_ones = select(Session.id).where(Session.video_id == video_id, Session.worker_id.is_not(None))
    return list(db.scalars(open_ones))


def _key(db: Db, video_id: int) -> str:
    """Where the frames of a video lie.

    Raises:
        NotFound: They do not yet.
    """
    row = found(db, Video, video_id)
    if row.state != "ready":
        raise NotFound(f"the video is {row.state}: it has no frames" + (" yet" if row.state == "arriving" else ""))
    return row.key
