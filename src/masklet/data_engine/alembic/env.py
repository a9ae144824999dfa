"""Alembic's environment; :meth:`Database.upgrade` gives the connection."""

from __future__ import annotations

from alembic import context

from masklet.data_engine.schema import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transactional_ddl=True,  # all or nothing, on SQLite too
)
with context.begin_transaction():
    context.run_migrations()
