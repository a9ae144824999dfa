"""Projects."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StrictBool

from ..checkpoints.registry import REGISTRY, find
from . import audit, projects
from .callers import Manages, Sees
from .database import Db
from .errors import NotFound
from .fields import Body, Id, Name
from .problems import ALWAYS, Rejected, problems
from .projects import ProjectCounts
from .schema import ObjectState, Phase, Stage, TaskState, VideoState
from .serving import Parts, Serving

router = APIRouter(prefix="/api/projects", tags=["projects"], responses=problems(*ALWAYS))

Every = Annotated[int, Field(ge=1, le=1000)]


class SettingsAnswer(BaseModel):
    """How a project works; see :class:`~.project_settings.ProjectSettings`."""

    stages: list[Stage]
    annotators: int
    lease_seconds: float
    own_review: bool
    simulated: bool


class ProjectAnswer(BaseModel):
    """A project, with the number of its videos and objects by state, and of its tasks by stage and state."""

    id: int
    name: str
    phase: Phase
    model: str
    every: int
    settings: SettingsAnswer
    created: datetime
    videos: dict[VideoState, int]
    objects: dict[ObjectState, int]
    tasks: dict[Stage, dict[TaskState, int]]


class SettingsBody(Body):
    """Settings that are not as by default, or that are to change."""

    stages: Annotated[list[Stage], Field(min_length=1, max_length=3)] | None = None
    annotators: Annotated[int, Field(ge=1, le=20)] | None = None
    lease_seconds: Annotated[float, Field(ge=1, le=86_400)] | None = None
    own_review: StrictBool | None = None
    simulated: StrictBool | None = None

    def given(self) -> dict[str, Any]:
        """Those that are said."""
        return self.model_dump(exclude_none=True)


class ProjectBody(Body):
    """A new project; ``model`` None: the server's."""

    name: Name
    phase: Phase = 3
    model: Name | None = None
    every: Every = 1
    settings: SettingsBody = SettingsBody()


class ProjectChange(Body):
    """What is to be another; None: as it is."""

    name: Name | None = None
    model: Name | None = None
    settings: SettingsBody | None = None


@router.get("")
def all_projects(caller: Sees, serving: Parts) -> list[ProjectAnswer]:
    """All projects by name."""
    return [_answer(one) for one in serving.read(projects.list_projects)]


@router.post("", status_code=201, responses=problems(409))
def add_project(body: ProjectBody, caller: Manages, serving: Parts) -> ProjectAnswer:
    """Make a project."""
    model = _checked_model(body.model, serving)

    def add(db: Db) -> ProjectAnswer:
        row = projects.add_project(db, body.name, body.phase, model, body.every, body.settings.given())
        audit.record(db, caller.id, caller.address, "add_project", row.name)
        return _answer(ProjectCounts(row, {}, {}, {}))

    return serving.write(add)


@router.get("/{project_id}", responses=problems(404))
def project(project_id: Id, caller: Sees, serving: Parts) -> ProjectAnswer:
    """A project."""
    return serving.read(_project, project_id)


@router.patch("/{project_id}", responses=problems(404, 409))
def change_project(project_id: Id, body: ProjectChange, caller: Manages, serving: Parts) -> ProjectAnswer:
    """Change a project; stages and annotators only while it has no videos."""
    model = None if body.model is None else _checked_model(body.model, serving)

    def change(db: Db) -> ProjectAnswer:
        settings = None if body.settings is None else body.settings.given()
        row = projects.change_project(db, project_id, body.name, model, settings)
        changed = ", ".join(sorted(name for name in body.model_fields_set if getattr(body, name) is not None))
        audit.record(db, caller.id, caller.address, "change_project", f"{row.name}: {changed}")
        return _project(db, project_id)

    return serving.write(change)


def _project(db: Db, project_id: int) -> ProjectAnswer:
    for one in projects.list_projects(db):
        if one.project.id == project_id:
            return _answer(one)
    raise NotFound(f"there is no project {project_id}")


def _checked_model(name: str | None, serving: Serving) -> str:
    """Models that clients may name: published ones, and the server's own. A name is never a path of the server.

    Raises:
        Rejected: It is none of these.
    """
    own = serving.settings.model
    if name is None or name == shown_model(own):
        return own
    if find(name) is None:
        raise Rejected("refused", f"there is no model of that name: expected {shown_model(own)}, {', '.join(REGISTRY)}")
    return name


def shown_model(model: str) -> str:
    """What a model is called: of a file its name, not where it lies."""
    return PurePath(model).name if find(model) is None else model


def _answer(one: ProjectCounts) -> ProjectAnswer:
    tasks: dict[str, dict[str, int]] = {}
    for (stage, state), count in one.tasks.items():
        tasks.setdefault(stage, {})[state] = count
    row = one.project
    return ProjectAnswer(
        id=row.id,
        name=row.name,
        phase=row.phase,  # type: ignore[arg-type]
        model=shown_model(row.model),
        every=row.every,
        settings=SettingsAnswer(**row.settings),
        created=row.created,
        videos=one.videos,  # type: ignore[arg-type]
        objects=one.objects,  # type: ignore[arg-type]
        tasks=tasks,  # type: ignore[arg-type]
    )
