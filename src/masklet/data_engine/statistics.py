"""What annotation costs: seconds, edits and clicks, of a project, its annotators and days, and the paper's table 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timezone
from typing import Any

from sqlalchemy import and_, func, select

from .actions import PROMPTS
from .alignment import BUCKETS, Alignment, alignment
from .database import Db, found
from .errors import Refused
from .schema import Action, Judgement, Mask, Masklet, Object, Project, Task, User


@dataclass(frozen=True)
class Effort:
    """Sums over tasks that are done; each object counts on each of its frames.

    Attributes:
        tasks: Number of tasks.
        seconds: Work on them.
        masklets: Masklets that they handed in.
        frames: Annotated frames of these.
        edited: Those of the frames that somebody prompted.
        clicks: Clicks on these objects.
        verdicts: Verdicts given; of tracking, those on its masklets.
        accepted: How many were satisfactory.
    """

    tasks: int = 0
    seconds: float = 0.0
    masklets: int = 0
    frames: int = 0
    edited: int = 0
    clicks: int = 0
    verdicts: int = 0
    accepted: int = 0

    def __add__(self, other: Effort) -> Effort:
        """Both together."""
        return Effort(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Effort)))

    @property
    def seconds_a_frame(self) -> float | None:
        """Seconds of work on an annotated frame; None where there is none."""
        return self.seconds / self.frames if self.frames else None

    @property
    def edited_share(self) -> float | None:
        """Share of the annotated frames that were edited, 0..1."""
        return self.edited / self.frames if self.frames else None

    @property
    def clicks_per_edited_frame(self) -> float | None:
        """Clicks on an edited frame."""
        return self.clicks / self.edited if self.edited else None

    @property
    def tasks_an_hour(self) -> float | None:
        """Tasks in an hour of work."""
        return 3600 * self.tasks / self.seconds if self.seconds else None

    @property
    def acceptance_rate(self) -> float | None:
        """Share of the verdicts that were satisfactory, 0..1."""
        return self.accepted / self.verdicts if self.verdicts else None


@dataclass(frozen=True)
class StatisticsRow:
    """Effort of a stage: in all, of one annotator, or of one day.

    Attributes:
        stage: The stage.
        annotator: Name of who did the tasks; None: everybody.
        day: Day in UTC on which they were done, as 2025-12-31; None: every day.
        effort: The sums. In all, a masklet that was handed in several times counts once, as it was last.
    """

    stage: str
    annotator: str | None
    day: str | None
    effort: Effort

    def plain(self) -> dict[str, Any]:
        """As JSON: sums and rates."""
        rates = ("seconds_a_frame", "edited_share", "clicks_per_edited_frame", "tasks_an_hour", "acceptance_rate")
        names = [field.name for field in fields(Effort)] + list(rates)
        place = {"stage": self.stage, "annotator": self.annotator, "day": self.day}
        return place | {name: getattr(self.effort, name) for name in names}


@dataclass(frozen=True)
class Table1Row:
    """A project in the paper's table 1.

    Attributes:
        project: Its name.
        phase: Its phase.
        effort: Effort of tracking.
        alignment: With the masks of the reference; None of the reference itself and without one.
    """

    project: str
    phase: int
    effort: Effort
    alignment: Alignment | None

    def plain(self) -> dict[str, Any]:
        """As JSON; shares are percentages, as in the paper."""
        edited = self.effort.edited_share
        aligned = self.alignment
        shares = {"all": None if aligned is None else aligned.share()}
        shares |= {bucket: None if aligned is None else aligned.share(bucket) for bucket in BUCKETS}
        return {
            "project": self.project,
            "phase": self.phase,
            "seconds_a_frame": self.effort.seconds_a_frame,
            "edited_frames_percent": None if edited is None else 100 * edited,
            "clicks_per_edited_frame": self.effort.clicks_per_edited_frame,
            **{f"alignment_{name}": None if share is None else 100 * share for name, share in shares.items()},
        }


def statistics(db: Db, project_id: int) -> list[StatisticsRow]:
    """Rows of a project: each stage in all, then each annotator in each stage, then each day in each stage.

    Rows of annotators and days count what their own tasks handed in, did, and were judged for.

    Raises:
        NotFound: There is no such project.
    """
    found(db, Project, project_id)
    names = {user.id: user.name for user in db.scalars(select(User))}
    people: dict[tuple[str, str], Effort] = {}
    days: dict[tuple[str, str], Effort] = {}
    stages: dict[str, Effort] = {}
    for task, effort in _by_task(db, project_id):
        stages[task.stage] = stages.get(task.stage, Effort()) + effort
        day = "" if task.done is None else task.done.astimezone(timezone.utc).date().isoformat()
        for sums, key in ((people, names.get(task.done_by or 0, "")), (days, day)):
            sums[task.stage, key] = sums.get((task.stage, key), Effort()) + effort
    if "track" in stages:
        stages["track"] = _tracked(db, project_id, stages["track"])
    rows = [StatisticsRow(stage, None, None, effort) for stage, effort in sorted(stages.items())]
    rows += [StatisticsRow(stage, name, None, people[stage, name]) for stage, name in sorted(people)]
    return rows + [StatisticsRow(stage, None, day, days[stage, day]) for stage, day in sorted(days)]


def table1(db: Db, project_ids: Sequence[int], reference_id: int | None = None) -> list[Table1Row]:
    """Projects of the same videos side by side, as the paper compares its phases.

    Args:
        db: The transaction.
        project_ids: The projects, in the order of the rows.
        reference_id: Whose masks the others are compared with; None: the first of them that is of phase 1.

    Raises:
        NotFound: There is no such project.
        Refused: No project is named, or videos have other sizes in another project.
    """
    if not project_ids:
        raise Refused("name at least one project")
    projects = [found(db, Project, project_id) for project_id in project_ids]
    if reference_id is None:
        reference_id = next((project.id for project in projects if project.phase == 1), None)
    rows = []
    for project in projects:
        compared = reference_id is not None and project.id != reference_id
        aligned = alignment(db, project.id, reference_id) if compared and reference_id is not None else None
        effort = sum((e for task, e in _by_task(db, project.id) if task.stage == "track"), Effort())
        rows.append(Table1Row(project.name, project.phase, _tracked(db, project.id, effort), aligned))
    return rows


def to_csv(rows: Iterable[StatisticsRow] | Iterable[Table1Row]) -> str:
    """As comma-separated values with a header; empty without rows."""
    plain = [row.plain() for row in rows]
    out = io.StringIO()
    if plain:
        writer = csv.DictWriter(out, list(plain[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{name: _cell(value) for name, value in row.items()} for row in plain])
    return out.getvalue()


def _by_task(db: Db, project_id: int) -> list[tuple[Task, Effort]]:
    """Effort of each task of a project that is done."""
    done = Task.project_id == project_id, Task.state == "done"
    tasks = {task.id: task for task in db.scalars(select(Task).where(*done).order_by(Task.id))}
    efforts = {i: Effort(tasks=1, seconds=task.seconds) for i, task in tasks.items()}
    for part in (_handed_in, _prompted, _judged):
        for i, effort in part(db, project_id):
            if i in efforts:
                efforts[i] += effort
    return [(task, efforts[i]) for i, task in tasks.items()]


def _handed_in(db: Db, project_id: int) -> Iterator[tuple[int | None, Effort]]:
    """Masklets and frames by task."""
    query = select(Masklet.task_id, func.count(), func.sum(Masklet.frames))
    query = query.join(Object, Object.id == Masklet.object_id).join(Task, Task.id == Masklet.task_id)
    query = query.where(Task.project_id == project_id, Object.state != "removed").group_by(Masklet.task_id)
    for task_id, masklets, frames in db.execute(query):
        yield task_id, Effort(masklets=masklets, frames=int(frames))


def _prompted(db: Db, project_id: int) -> Iterator[tuple[int | None, Effort]]:
    """Clicks and edited frames by task, of the objects that it handed in."""
    columns = Action.task_id, func.sum(Action.clicks), func.count(Mask.frame.distinct())
    same_object = and_(Object.video_id == Task.video_id, Object.number == Action.number)
    query = select(*columns).join(Task, Task.id == Action.task_id).join(Object, same_object)
    query = query.join(Masklet, and_(Masklet.task_id == Task.id, Masklet.object_id == Object.id))
    query = query.outerjoin(Mask, and_(Mask.masklet_id == Masklet.id, Mask.frame == Action.frame))
    query = query.where(Task.project_id == project_id, Object.state != "removed")
    query = query.where(Action.state == "done", Action.kind.in_(PROMPTS))
    for task_id, clicks, edited in db.execute(query.group_by(Action.task_id, Action.number)):
        yield task_id, Effort(edited=edited, clicks=int(clicks))


def _judged(db: Db, project_id: int) -> Iterator[tuple[int | None, Effort]]:
    """Verdicts by the task that gave them, and by the one whose masklet they are about."""
    query = select(Judgement.task_id, Masklet.task_id, Judgement.verdict)
    query = query.join(Masklet, Masklet.id == Judgement.masklet_id).join(Task, Task.id == Judgement.task_id)
    query = query.where(Task.project_id == project_id, Judgement.verdict.is_not(None))
    for verifying, tracking, verdict in db.execute(query):
        effort = Effort(verdicts=1, accepted=int(verdict == "satisfactory"))
        yield verifying, effort
        yield tracking, effort


def _tracked(db: Db, project_id: int, tasks: Effort) -> Effort:
    """The effort of all tasks of tracking with each masklet once: the newest of its object and session."""
    newest = select(func.max(Masklet.id)).join(Object, Object.id == Masklet.object_id)
    newest = newest.join(Task, Task.id == Masklet.task_id).where(
        Task.project_id == project_id, Object.state != "removed"
    )
    newest = newest.group_by(Masklet.object_id, Masklet.session_id)
    rows = db.execute(select(Masklet.frames, Masklet.edited, Masklet.clicks).where(Masklet.id.in_(newest))).all()
    frames, edited, clicks = (sum(column) for column in zip(*rows, strict=True)) if rows else (0, 0, 0)
    return replace(tasks, masklets=len(rows), frames=frames, edited=edited, clicks=clicks)


def _cell(value: Any) -> Any:
    """A spreadsheet takes text that begins like a formula for one."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
