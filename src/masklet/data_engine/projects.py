"""Projects and their videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Select, delete, func, select

from . import stages
from .database import Db, locked
from .errors import Refused
from .project_settings import ProjectSettings
from .schema import Action, Job, Judgement, Mask, Masklet, Object, Phase, Project, Session, Task, Video, now
from .wording import line, whole


@dataclass(frozen=True)
class ProjectCounts:
    """A project and what is in it.

    Attributes:
        project: The project.
        videos: Number of videos by state.
        objects: Number of objects by state.
        tasks: Number of tasks by stage and state, as ``("track", "open")``.
    """

    project: Project
    videos: dict[str, int]
    objects: dict[str, int]
    tasks: dict[tuple[str, str], int]


@dataclass(frozen=True)
class RemovedVideo:
    """Files in the workspace that nothing refers to any more."""

    key: str
    sessions: tuple[str, ...]


def add_project(
    db: Db,
    name: str,
    phase: Phase,
    model: str,
    every: int = 1,
    settings: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> Project:
    """Make a project; ``settings`` as :class:`ProjectSettings` has them, what is not said as by default.

    Raises:
        Refused: The name is taken or a value wrong.
    """
    name = line(name, "the name", 200)
    if db.scalar(select(Project.id).where(Project.name == name)) is not None:
        raise Refused(f"there is a project {name!r} already: choose another name")
    if phase not in get_args(Phase):
        raise Refused(f"the phase is {phase}, expected 1, 2 or 3")
    if not whole(every, "every"):
        raise Refused("every is 0, expected a number from 1: 4 annotates every fourth frame")
    row = Project(
        name=name,
        phase=phase,
        model=line(model, "the model", 300),
        every=every,
        settings=ProjectSettings.read(settings or {}).plain(),
        created=at or now(),
    )
    db.add(row)
    db.flush()
    return row


def change_project(
    db: Db,
    project_id: int,
    name: str | None = None,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Project:
    """Change a project; None, or a setting that is not named, leaves as it is.

    Raises:
        NotFound: There is no such project.
        Refused: A value is wrong, or the stages were to change under videos that are worked on.
    """
    row = locked(db, Project, project_id)
    if name is not None and line(name, "the name", 200) != row.name:
        if db.scalar(select(Project.id).where(Project.name == line(name, "the name", 200))) is not None:
            raise Refused(f"there is a project {name!r} already: choose another name")
        row.name = line(name, "the name", 200)
    if model is not None:
        row.model = line(model, "the model", 300)
    if settings is not None:
        old, new = ProjectSettings.of(row), ProjectSettings.read({**row.settings, **settings})
        others = (old.stages, old.annotators) != (new.stages, new.annotators)
        if others and db.scalar(select(Video.id).where(Video.project_id == row.id).limit(1)) is not None:
            raise Refused("stages and annotators cannot change once a project has videos: make another project")
        row.settings = new.plain()
    db.flush()
    return row


def list_projects(db: Db) -> list[ProjectCounts]:
    """All projects by name, with counts."""
    videos = _counted(db, select(Video.project_id, Video.state, func.count()).group_by(Video.project_id, Video.state))
    of_video = select(Video.project_id, Object.state, func.count()).join(Video, Video.id == Object.video_id)
    objects = _counted(db, of_video.group_by(Video.project_id, Object.state))
    queue = Task.project_id, Task.stage, Task.state
    tasks: dict[int, dict[tuple[str, str], int]] = {}
    for project_id, stage, state, count in db.execute(select(*queue, func.count()).group_by(*queue)):
        tasks.setdefault(project_id, {})[stage, state] = count
    rows = db.scalars(select(Project).order_by(Project.name))
    return [ProjectCounts(p, videos.get(p.id, {}), objects.get(p.id, {}), tasks.get(p.id, {})) for p in rows]


def add_video(db: Db, project_id: int, name: str, key: str, at: datetime | None = None) -> Video:
    """Add a video whose frames are still to arrive under ``key`` in the workspace.

    Raises:
        NotFound: There is no such project.
        Refused: The project has a video of this name.
    """
    locked(db, Project, project_id)
    name = line(name, "the name", 200)
    if db.scalar(select(Video.id).where(Video.project_id == project_id, Video.name == name)) is not None:
        raise Refused(f"the project has a video {name!r} already: rename the file")
    row = Video(project_id=project_id, name=name, key=key, state="arriving", created=at or now())
    db.add(row)
    db.flush()
    return row


def videos_of(db: Db, project_id: int) -> list[Video]:
    """Videos of a project by name."""
    return list(db.scalars(select(Video).where(Video.project_id == project_id).order_by(Video.name)))


def video_ready(
    db: Db, video_id: int, width: int, height: int, frames: int, fps: float | None, at: datetime | None = None
) -> Video:
    """All frames of a video are there: its first tasks are open; saying it again changes nothing.

    Raises:
        NotFound: There is no such video.
    """
    video = locked(db, Video, video_id)
    if video.state != "ready":
        video.state, video.error = "ready", None
        video.width, video.height, video.frames, video.fps = width, height, frames, fps
        stages.first_tasks(db, video, at)
    return video


def video_failed(db: Db, video_id: int, error: str) -> Video:
    """The frames of a video cannot be had; ``error`` is a sentence for the user.

    Raises:
        NotFound: There is no such video.
    """
    video = locked(db, Video, video_id)
    if video.state != "ready":
        video.state, video.error = "failed", error
        db.flush()
    return video


def remove_video(db: Db, video_id: int) -> RemovedVideo:
    """Remove a video with all work on it; the caller removes the files once this is committed.

    Raises:
        NotFound: There is no such video.
    """
    video = locked(db, Video, video_id)
    sessions = list(db.scalars(select(Session).where(Session.video_id == video_id)))
    tasks = select(Task.id).where(Task.video_id == video_id)
    masklets = select(Masklet.id).join(Object, Object.id == Masklet.object_id).where(Object.video_id == video_id)
    gone = RemovedVideo(video.key, tuple(session.key for session in sessions))
    db.expunge_all()
    for statement in (
        delete(Judgement).where(Judgement.masklet_id.in_(masklets)),
        delete(Mask).where(Mask.masklet_id.in_(masklets)),
        delete(Masklet).where(Masklet.id.in_(masklets)),
        delete(Action).where(Action.task_id.in_(tasks)),
        delete(Task).where(Task.video_id == video_id),
        delete(Session).where(Session.video_id == video_id),
        delete(Object).where(Object.video_id == video_id),
        delete(Job).where(Job.video_id == video_id),
        delete(Video).where(Video.id == video_id),
    ):
        db.execute(statement, execution_options={"synchronize_session": False})
    return gone


def _counted(db: Db, query: Select[int, str, int]) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = {}
    for project_id, state, count in db.execute(query):
        counts.setdefault(project_id, {})[state] = count
    return counts
