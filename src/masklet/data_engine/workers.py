"""Model workers: who is alive, and which of them has a session."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from .database import Db, found, locked
from .errors import NotFound, NoWorker
from .schema import Session, Worker, now

ALIVE_FOR = 10.0
"""Seconds without a heartbeat after which a worker counts as dead."""
_REMEMBERED = timedelta(hours=1)


def announce(db: Db, worker_id: str, address: str, at: datetime | None = None) -> Worker:
    """Say that a worker is there; forgets those that died long ago."""
    at = at or now()
    old = list(db.scalars(select(Worker.id).where(Worker.heartbeat < at - _REMEMBERED, Worker.id != worker_id)))
    for gone in old:
        leave(db, gone)
    row = db.get(Worker, worker_id)
    if row is None:
        row = Worker(id=worker_id, started=at)
        db.add(row)
    row.address, row.heartbeat, row.sessions, row.waiting = address, at, 0, 0
    db.flush()
    return row


def beat(db: Db, worker_id: str, sessions: int = 0, waiting: int = 0, at: datetime | None = None) -> bool:
    """A worker's sign of life; says whether it is known, else it must announce itself again.

    Args:
        db: The transaction.
        worker_id: The worker.
        sessions: How many it has open.
        waiting: How many requests wait in it.
        at: The time.
    """
    row = db.get(Worker, worker_id)
    if row is None:
        return False
    row.heartbeat, row.sessions, row.waiting = at or now(), sessions, waiting
    db.flush()
    return True


def leave(db: Db, worker_id: str) -> None:
    """A worker ends: its sessions are free at once."""
    for session in db.scalars(select(Session).where(Session.worker_id == worker_id).with_for_update(key_share=True)):
        session.worker_id = None
    db.flush()
    db.execute(delete(Worker).where(Worker.id == worker_id))


def alive(db: Db, seconds: float = ALIVE_FOR, at: datetime | None = None) -> list[Worker]:
    """Workers with a fresh heartbeat, the least busy first."""
    since = (at or now()) - timedelta(seconds=seconds)
    return list(db.scalars(select(Worker).where(Worker.heartbeat > since).order_by(Worker.sessions, Worker.waiting)))


def give_session(db: Db, session_id: int, seconds: float = ALIVE_FOR, at: datetime | None = None) -> Worker:
    """Who has a session: the worker that has it as long as that is alive, else now the least busy one, epoch + 1.

    Raises:
        NotFound: There is no such session.
        NoWorker: No worker is alive.
    """
    session = locked(db, Session, session_id)
    living = alive(db, seconds, at)
    for worker in living:
        if worker.id == session.worker_id:
            return worker
    for worker in living:
        try:
            chosen = locked(db, Worker, worker.id)
        except NotFound:  # it left a moment ago
            continue
        session.worker_id, session.epoch = chosen.id, session.epoch + 1
        chosen.sessions += 1  # until its next heartbeat says how many there are: sessions that come at once spread
        db.flush()
        return chosen
    raise NoWorker("no model worker is running: try again in a moment")


def has_session(db: Db, session_id: int, worker_id: str, epoch: int) -> bool:
    """Whether a worker still has a session that it was given at an epoch; if not it must not write to its file."""
    session = found(db, Session, session_id)
    return session.worker_id == worker_id and session.epoch == epoch
