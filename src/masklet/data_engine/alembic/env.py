"""Alembic's environment: ``Database.upgrade`` gives the connection; of the command line only ``revision`` is used."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from masklet.data_engine.schema import Moment, Table


def _rendered(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations know no type of ours: these may change."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Moment) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transactional_ddl=True,  # all or nothing, on SQLite too
    render_item=_rendered,
    render_as_batch=True,  # SQLite changes a column by copying its table
)
with context.begin_transaction():
    context.run_migrations()
