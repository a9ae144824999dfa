"""The audit log: what was done to the engine itself, by whom and from where."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from .database import Db
from .schema import Audit, now


def record(
    db: Db,
    user_id: int | None,
    address: str,
    what: str,
    target: str = "",
    ok: bool = True,
    at: datetime | None = None,
) -> Audit:
    """Add a line.

    Args:
        db: The transaction.
        user_id: Who; None: somebody unknown.
        address: Network address.
        what: Name of the deed, such as ``sign_in``.
        target: What it was done to; never a secret.
        ok: Whether it was done, not refused.
        at: The time.
    """
    row = Audit(user_id=user_id, address=address[:60], what=what[:60], target=target[:200], ok=ok, created=at or now())
    db.add(row)
    db.flush()
    return row


def recorded(db: Db, before: int | None = None, most: int = 100) -> list[Audit]:
    """The latest lines, newest first; ``before``: the id of a line that only older ones are asked for of."""
    query = select(Audit).order_by(Audit.id.desc()).limit(most)
    return list(db.scalars(query if before is None else query.where(Audit.id < before)))
