"""What must hold of an engine that was used and killed: nothing acknowledged is lost, and nothing is there twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import func, select

from masklet.data_engine.database import Database, Db
from masklet.data_engine.live_client import Reply
from masklet.data_engine.schema import Action, Masklet, Session, Task
from masklet.data_engine.workspace import Workspace
from masklet.inference.session_file import opened

Click = tuple[float, float, int]
Place = tuple[int, int]
"""Object and frame."""


def complaints(database: Database, workspace: Workspace, acknowledged: Sequence[Reply]) -> list[str]:
    """Everything that is wrong, in words; the server has stopped. Only clicks and propagations are looked at."""
    with database.reading() as db:
        found = [*_log(db, acknowledged), *_tasks(db), *_masklets(db)]
        for session in db.scalars(select(Session)):
            found += _session(db, session, workspace.session(session.key))
    return found


def _log(db: Db, acknowledged: Sequence[Reply]) -> Iterable[str]:
    """Each acknowledged action is in the log once, as done."""
    rows: dict[str, list[Action]] = defaultdict(list)
    for action in db.scalars(select(Action)):
        rows[action.name].append(action)
    for name, count in Counter(reply.name for reply in acknowledged).items():
        if count > 1:
            yield f"action {name} was acknowledged {count} times"
    for reply in acknowledged:
        found = rows.get(reply.name, [])
        if len(found) != 1:
            yield f"{reply.kind} {reply.name} of task {reply.task} is in the log {len(found)} times"
        elif found[0].state != "done" or found[0].task_id != reply.task or found[0].kind != reply.kind:
            got = f"{found[0].kind} of task {found[0].task_id}, {found[0].state}"
            yield f"{reply.kind} {reply.name} of task {reply.task} is in the log as {got}"


def _tasks(db: Db) -> Iterable[str]:
    """No two tasks are for the same."""
    same = Task.video_id, Task.stage, Task.session_id, Task.object_id, Task.round
    query = select(*same, func.count()).where(Task.state != "cancelled").group_by(*same).having(func.count() > 1)
    for video, stage, session, target, round, count in db.execute(query):
        yield f"{count} tasks of stage {stage}, round {round}, for video {video}, session {session}, object {target}"


def _masklets(db: Db) -> Iterable[str]:
    """A task hands an object in once."""
    same = Masklet.task_id, Masklet.object_id
    query = select(*same, func.count()).where(Masklet.task_id.is_not(None)).group_by(*same).having(func.count() > 1)
    for task, target, count in db.execute(query):
        yield f"task {task} handed object {target} in {count} times"


def _session(db: Db, session: Session, path: Path) -> Iterable[str]:
    """The clicks in a session's file are those of the log, in their order; of unanswered ones any may be there."""
    query = select(Action).where(Action.session_id == session.id, Action.kind == "prompt").order_by(Action.id)
    done: dict[Place, list[Click]] = defaultdict(list)
    sent: dict[Place, list[Click]] = defaultdict(list)
    for action in db.scalars(query):
        clicks = [
            (round(x, 3), round(y, 3), label)
            for (x, y), label in zip(action.body["points"], action.body["labels"], strict=True)
        ]
        place = (action.number or 0, action.frame or 0)
        if action.state != "refused":
            sent[place] += clicks
        if action.state == "done":
            done[place] += clicks
    kept = _kept(path) if path.exists() else {}
    for place in sorted({*done, *kept}):
        clicks = kept.get(place, [])
        if not _within(done[place], clicks) or not _within(clicks, sent[place]):
            yield (
                f"session {session.id}, object {place[0]}, frame {place[1]}: {len(clicks)} clicks in the file, "
                f"{len(done[place])} done in the log, {len(sent[place])} sent"
            )


def _kept(path: Path) -> dict[Place, list[Click]]:
    with opened(path) as file:
        tables = file.read("cpu")
    return {
        (number, frame): [
            (round(float(x), 3), round(float(y), 3), int(label))
            for (x, y), label in zip(prompt.points, prompt.labels, strict=True)
        ]
        for number, of in tables.items()
        for frame, prompt in of["prompts"].items()
    }


def _within(some: Sequence[Click], whole: Sequence[Click]) -> bool:
    """Whether some are among the whole, in their order."""
    left = iter(whole)
    return all(any(one == other for other in left) for one in some)
