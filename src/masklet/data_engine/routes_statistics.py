"""What annotation costs, and the paper's table 1 for one's own projects."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, StringConstraints

from .callers import Caller, Sees
from .database import Db
from .fields import LARGEST, Id
from .problems import ALWAYS, file_of, problems
from .schema import Phase, Stage
from .serving import Parts
from .statistics import StatisticsRow, statistics, table1, to_csv

router = APIRouter(prefix="/api", tags=["statistics"], responses=problems(*ALWAYS, 404))

_Ids = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,15}(,[1-9][0-9]{0,15}){0,19}$")]
_Projects = Annotated[_Ids, Query(description="Ids, with commas between.")]
_Reference = Annotated[int | None, Query(ge=1, le=LARGEST)]


class EffortAnswer(BaseModel):
    """Effort of a stage in all, of an annotator, or of a day; a rate of nothing is None."""

    stage: Stage
    annotator: str | None
    day: str | None
    tasks: int
    seconds: float
    masklets: int
    frames: int
    edited: int
    clicks: int
    verdicts: int
    accepted: int
    seconds_a_frame: float | None
    edited_share: float | None
    clicks_per_edited_frame: float | None
    tasks_an_hour: float | None
    acceptance_rate: float | None


class Table1Answer(BaseModel):
    """A row of table 1; shares are in percent, alignment is that with the reference."""

    project: str
    phase: Phase
    seconds_a_frame: float | None
    edited_frames_percent: float | None
    clicks_per_edited_frame: float | None
    alignment_all: float | None
    alignment_small: float | None
    alignment_medium: float | None
    alignment_large: float | None


@router.get("/projects/{project_id}/statistics")
def statistics_of(project_id: Id, caller: Sees, serving: Parts) -> list[EffortAnswer]:
    """Rows of each stage in all, then of each annotator, then of each day; who manages sees everybody's."""
    return [EffortAnswer(**row.plain()) for row in serving.read(_seen, project_id, caller)]


@router.get(
    "/projects/{project_id}/statistics.csv",
    response_class=Response,
    responses=file_of("text/csv", "Comma-separated values."),
)
def statistics_csv(project_id: Id, caller: Sees, serving: Parts) -> Response:
    """The same as a table for spreadsheets."""
    return _csv("statistics.csv", to_csv(serving.read(_seen, project_id, caller)))


@router.get("/table1", responses=problems(409))
def table_1(caller: Sees, serving: Parts, projects: _Projects, reference: _Reference = None) -> list[Table1Answer]:
    """Projects of the same videos side by side; compared with the reference, by default the first of phase 1."""
    return [Table1Answer(**row.plain()) for row in serving.read(table1, _ids(projects), reference)]


@router.get(
    "/table1.csv",
    response_class=Response,
    responses=file_of("text/csv", "Comma-separated values.", 409),
)
def table_1_csv(caller: Sees, serving: Parts, projects: _Projects, reference: _Reference = None) -> Response:
    """The same as a table for spreadsheets."""
    return _csv("table1.csv", to_csv(serving.read(table1, _ids(projects), reference)))


def _ids(projects: str) -> list[int]:
    return [int(one) for one in projects.split(",")]


def _csv(name: str, text: str) -> Response:
    return Response(text, media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _seen(db: Db, project_id: int, caller: Caller) -> list[StatisticsRow]:
    """Rows that somebody may see: how fast others work is for those who manage."""
    rows = statistics(db, project_id)
    return rows if caller.may("manage") else [row for row in rows if row.annotator in (None, caller.name)]
