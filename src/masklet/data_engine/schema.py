"""Tables of the data engine: who works on what, what was done, and the masks that came of it.

A video is worked on in sessions (``masklet.inference.session_file``), which are files; what is in tables is the work
around them, the log of actions, and the masklets of sessions that were handed in. Times are UTC, seconds are floats.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Literal, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

Role = Literal["annotator", "verifier", "admin"]
Stage = Literal["select", "track", "verify"]
TaskState = Literal["open", "leased", "done", "cancelled"]
VideoState = Literal["arriving", "ready", "failed"]
ObjectState = Literal["proposed", "selected", "tracked", "satisfactory", "unsatisfactory", "ill_defined", "removed"]
Verdict = Literal["satisfactory", "unsatisfactory", "ill_defined"]
Origin = Literal["manual", "automatic", "imported"]
JobKind = Literal["ingest", "automatic", "export", "import"]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
Phase = Literal[1, 2, 3]

ROLES: tuple[Role, ...] = get_args(Role)
STAGES: tuple[Stage, ...] = get_args(Stage)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Integer64 = BigInteger().with_variant(Integer, "sqlite")
NEVER_AGAIN = {"sqlite_autoincrement": True}
"""SQLite does not give the id of a removed row to another one: browsers keep frames by it. PostgreSQL never does."""


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """As UTC."""
        return None if value is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """As UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


def now() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


class Table(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON, int: Integer64, float: Double}  # noqa: RUF012


class User(Table):
    """Somebody who works with the engine; ``local`` is who sits at a server without accounts."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password: Mapped[str | None] = mapped_column(String(300))  # argon2
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(default=True)
    created: Mapped[datetime] = mapped_column(default=now)


class SignIn(Table):
    """A browser that somebody signed in with; its cookie names it, signed."""

    __tablename__ = "sign_ins"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime]
    ended: Mapped[datetime | None]


class Project(Table):
    """Videos annotated by one protocol.

    ``phase`` is that of the paper: 1 a mask for every frame, 2 masks propagated, 3 the full model in the loop.
    ``every``: annotated are frames 0, every, 2 every ... (4 of 24 a second are the paper's 6).
    ``settings``: ``stages`` (of STAGES, in order), ``annotators`` (people who track each video, for agreement),
    ``lease_seconds``, ``own_review`` (who tracked may verify), ``simulated`` (seconds are as clients say).
    """

    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    phase: Mapped[int]
    model: Mapped[str] = mapped_column(String(300))
    every: Mapped[int] = mapped_column(default=1)
    settings: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)


class Video(Table):
    """A video; its frames lie in the workspace under ``key``."""

    __tablename__ = "videos"
    __table_args__ = (UniqueConstraint("project_id", "name"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(20), default="arriving")
    error: Mapped[str | None] = mapped_column(Text)
    width: Mapped[int | None]
    height: Mapped[int | None]
    frames: Mapped[int | None]
    fps: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(default=now)


class Object(Table):
    """A target in a video; ``number`` is its id in sessions."""

    __tablename__ = "objects"
    __table_args__ = (UniqueConstraint("video_id", "number"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id"), index=True)
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    colour: Mapped[str] = mapped_column(String(7))  # "#rrggbb"
    origin: Mapped[str] = mapped_column(String(20), default="manual")
    state: Mapped[str] = mapped_column(String(20), default="selected")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created: Mapped[datetime] = mapped_column(default=now)


class Session(Table):
    """A copy of the work on a video: a session file in the workspace under ``key``.

    ``worker_id`` has it open as long as that worker's heartbeat is fresh; ``epoch`` counts who had it.
    ``running``: the propagation that is going on, to go on with should its worker die.
    """

    __tablename__ = "sessions"
    __table_args__ = (UniqueConstraint("video_id", "copy"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id"), index=True)
    copy: Mapped[int] = mapped_column(default=0)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    worker_id: Mapped[str | None] = mapped_column(ForeignKey("workers.id"))
    epoch: Mapped[int] = mapped_column(default=0)
    running: Mapped[dict[str, Any] | None]


class Task(Table):
    """Something for one person to do: a stage of a video, or for ``verify`` of one object of it.

    ``priority``: the lowest comes first (worst first: the expected quality). ``seconds``: work so far.
    ``started``: when who has it, or had it last, took it. ``done_by`` stays when ``assignee_id`` is let go.
    """

    __tablename__ = "tasks"
    __table_args__ = (Index("tasks_queue", "project_id", "stage", "state", "priority"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id"), index=True)
    object_id: Mapped[int | None] = mapped_column(ForeignKey("objects.id"), index=True)
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id"), index=True)
    stage: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="open")
    round: Mapped[int] = mapped_column(default=1)
    priority: Mapped[float] = mapped_column(default=0.0)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    lease: Mapped[str | None] = mapped_column(String(64))
    lease_expires: Mapped[datetime | None]
    seconds: Mapped[float] = mapped_column(default=0.0)
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    done: Mapped[datetime | None]
    done_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class Action(Table):
    """Something that was done in a session, once: clients name it, so that one which is sent again is known.

    ``state``: ``begun`` (perhaps in the session file), ``done`` or ``refused``. ``seconds``: time it took the user.
    """

    __tablename__ = "actions"
    __table_args__ = (UniqueConstraint("session_id", "name"), Index("actions_of_task", "task_id", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(64))  # a UUID
    kind: Mapped[str] = mapped_column(String(20))
    frame: Mapped[int | None]
    number: Mapped[int | None]
    clicks: Mapped[int] = mapped_column(default=0)
    body: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10), default="begun")
    error: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float] = mapped_column(default=0.0)
    created: Mapped[datetime] = mapped_column(default=now)
    done: Mapped[datetime | None]


class Masklet(Table):
    """Masks of an object as a task handed them in; the newest of an object and session counts."""

    __tablename__ = "masklets"
    id: Mapped[int] = mapped_column(primary_key=True)
    object_id: Mapped[int] = mapped_column(ForeignKey("objects.id"), index=True)
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id"), index=True)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    edited: Mapped[int] = mapped_column(default=0)  # annotated frames that were prompted
    clicks: Mapped[int] = mapped_column(default=0)
    frames: Mapped[int] = mapped_column(default=0)  # annotated frames, also where it is absent
    quality: Mapped[float] = mapped_column(default=0.0)  # mean certainty
    created: Mapped[datetime] = mapped_column(default=now)


class Mask(Table):
    """A mask of a masklet: COCO run lengths at the video's size."""

    __tablename__ = "masks"
    masklet_id: Mapped[int] = mapped_column(ForeignKey("masklets.id"), primary_key=True)
    frame: Mapped[int] = mapped_column(primary_key=True)
    counts: Mapped[bytes] = mapped_column(LargeBinary)
    area: Mapped[int]
    iou: Mapped[float]
    presence: Mapped[float]
    stability: Mapped[float]
    prompted: Mapped[bool]


class Judgement(Table):
    """A verdict or, with ``verdict`` None, a comment on a masklet; ``frame`` where it is about one."""

    __tablename__ = "judgements"
    id: Mapped[int] = mapped_column(primary_key=True)
    masklet_id: Mapped[int] = mapped_column(ForeignKey("masklets.id"), index=True)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id"), index=True)  # None: of a model's own
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    verdict: Mapped[str | None] = mapped_column(String(20))
    comment: Mapped[str] = mapped_column(Text, default="")
    frame: Mapped[int | None]
    seconds: Mapped[float] = mapped_column(default=0.0)
    created: Mapped[datetime] = mapped_column(default=now)


class Job(Table):
    """Something that takes long and nobody waits for; at least once, with a lease as tasks have."""

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_queue", "state", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    video_id: Mapped[int | None] = mapped_column(ForeignKey("videos.id"))
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    body: Mapped[dict[str, Any]]
    progress: Mapped[float] = mapped_column(default=0.0)
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None]
    tries: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None] = mapped_column(String(64))
    lease_expires: Mapped[datetime | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    done: Mapped[datetime | None]


class Worker(Table):
    """A process with a model; ``address`` is where servers reach it."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    address: Mapped[str] = mapped_column(String(200))
    started: Mapped[datetime] = mapped_column(default=now)
    heartbeat: Mapped[datetime] = mapped_column(default=now)
    sessions: Mapped[int] = mapped_column(default=0)
    waiting: Mapped[int] = mapped_column(default=0)


class Audit(Table):
    """What somebody did to the engine itself: signing in, accounts, projects, exports. Never a secret."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    address: Mapped[str] = mapped_column(String(60))
    what: Mapped[str] = mapped_column(String(60))
    target: Mapped[str] = mapped_column(String(200), default="")
    ok: Mapped[bool] = mapped_column(default=True)
    created: Mapped[datetime] = mapped_column(default=now, index=True)
