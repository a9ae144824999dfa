"""Tables of the data engine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "projects",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("phase", INT, nullable=False),
        sa.Column("model", sa.String(length=300), nullable=False),
        sa.Column("every", INT, nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "users",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password", sa.String(length=300), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("started", TIME, nullable=False),
        sa.Column("heartbeat", TIME, nullable=False),
        sa.Column("sessions", INT, nullable=False),
        sa.Column("waiting", INT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit",
        sa.Column("id", INT, nullable=False),
        sa.Column("user_id", INT, nullable=True),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("what", sa.String(length=60), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_created", "audit", ["created"])

    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", INT, nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=False),
        sa.Column("ended", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sign_ins_user_id", "sign_ins", ["user_id"])

    op.create_table(
        "videos",
        sa.Column("id", INT, nullable=False),
        sa.Column("project_id", INT, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("width", INT, nullable=True),
        sa.Column("height", INT, nullable=True),
        sa.Column("frames", INT, nullable=True),
        sa.Column("fps", sa.Double(), nullable=True),
        sa.Column("created", TIME, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("project_id", "name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_videos_project_id", "videos", ["project_id"])

    op.create_table(
        "jobs",
        sa.Column("id", INT, nullable=False),
        sa.Column("project_id", INT, nullable=False),
        sa.Column("video_id", INT, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("tries", INT, nullable=False),
        sa.Column("lease", sa.String(length=64), nullable=True),
        sa.Column("lease_expires", TIME, nullable=True),
        sa.Column("created_by", INT, nullable=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("done", TIME, nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_jobs_project_id", "jobs", ["project_id"])
    op.create_index("jobs_queue", "jobs", ["state", "id"])

    op.create_table(
        "objects",
        sa.Column("id", INT, nullable=False),
        sa.Column("video_id", INT, nullable=False),
        sa.Column("number", INT, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("colour", sa.String(length=7), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_by", INT, nullable=True),
        sa.Column("created", TIME, nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"]),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("video_id", "number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_objects_video_id", "objects", ["video_id"])

    op.create_table(
        "sessions",
        sa.Column("id", INT, nullable=False),
        sa.Column("video_id", INT, nullable=False),
        sa.Column("copy", INT, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("epoch", INT, nullable=False),
        sa.Column("running", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"]),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("video_id", "copy"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_video_id", "sessions", ["video_id"])

    op.create_table(
        "tasks",
        sa.Column("id", INT, nullable=False),
        sa.Column("project_id", INT, nullable=False),
        sa.Column("video_id", INT, nullable=False),
        sa.Column("object_id", INT, nullable=True),
        sa.Column("session_id", INT, nullable=True),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("round", INT, nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        sa.Column("assignee_id", INT, nullable=True),
        sa.Column("lease", sa.String(length=64), nullable=True),
        sa.Column("lease_expires", TIME, nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("started", TIME, nullable=True),
        sa.Column("done", TIME, nullable=True),
        sa.Column("done_by", INT, nullable=True),
        sa.ForeignKeyConstraint(["assignee_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["done_by"], ["users.id"]),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"]),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tasks_assignee_id", "tasks", ["assignee_id"])
    op.create_index("ix_tasks_object_id", "tasks", ["object_id"])
    op.create_index("ix_tasks_session_id", "tasks", ["session_id"])
    op.create_index("ix_tasks_video_id", "tasks", ["video_id"])
    op.create_index("tasks_queue", "tasks", ["project_id", "stage", "state", "priority"])

    op.create_table(
        "actions",
        sa.Column("id", INT, nullable=False),
        sa.Column("session_id", INT, nullable=False),
        sa.Column("task_id", INT, nullable=False),
        sa.Column("user_id", INT, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("frame", INT, nullable=True),
        sa.Column("number", INT, nullable=True),
        sa.Column("clicks", INT, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("done", TIME, nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"]),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("session_id", "name"),
    )
    op.create_index("actions_of_task", "actions", ["task_id", "id"])

    op.create_table(
        "masklets",
        sa.Column("id", INT, nullable=False),
        sa.Column("object_id", INT, nullable=False),
        sa.Column("session_id", INT, nullable=True),
        sa.Column("task_id", INT, nullable=True),
        sa.Column("user_id", INT, nullable=True),
        sa.Column("edited", INT, nullable=False),
        sa.Column("clicks", INT, nullable=False),
        sa.Column("frames", INT, nullable=False),
        sa.Column("quality", sa.Double(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"]),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"]),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_masklets_object_id", "masklets", ["object_id"])
    op.create_index("ix_masklets_session_id", "masklets", ["session_id"])
    op.create_index("ix_masklets_task_id", "masklets", ["task_id"])

    op.create_table(
        "judgements",
        sa.Column("id", INT, nullable=False),
        sa.Column("masklet_id", INT, nullable=False),
        sa.Column("task_id", INT, nullable=True),
        sa.Column("user_id", INT, nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("frame", INT, nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.ForeignKeyConstraint(["masklet_id"], ["masklets.id"]),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_judgements_masklet_id", "judgements", ["masklet_id"])
    op.create_index("ix_judgements_task_id", "judgements", ["task_id"])

    op.create_table(
        "masks",
        sa.Column("masklet_id", INT, nullable=False),
        sa.Column("frame", INT, nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.Column("area", INT, nullable=False),
        sa.Column("iou", sa.Double(), nullable=False),
        sa.Column("presence", sa.Double(), nullable=False),
        sa.Column("stability", sa.Double(), nullable=False),
        sa.Column("prompted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["masklet_id"], ["masklets.id"]),
        sa.PrimaryKeyConstraint("masklet_id", "frame"),
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "masks",
        "judgements",
        "masklets",
        "actions",
        "tasks",
        "sessions",
        "objects",
        "jobs",
        "videos",
        "sign_ins",
        "audit",
        "workers",
        "users",
        "projects",
    ):
        op.drop_table(table)
