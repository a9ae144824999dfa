"""The database: SQLite in the workspace or PostgreSQL by its URL, and transactions in it."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session as Db
from sqlalchemy.orm import sessionmaker

from .errors import NotFound
from .schema import Table

__all__ = ["Database", "Db", "found", "locked"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Row = TypeVar("Row", bound=Table)

_HERE = Path(__file__).parent
_TRIES = 8
_WAIT = 30  # seconds that a transaction waits for another one
_AGAIN = {"40001", "40P01", "55P03"}  # serialisation failure, deadlock, a lock not had in time
_UPGRADING = 7_263_947_251  # names the advisory lock of who upgrades; any number would do


class Database:
    """A database of the engine; threads may share it.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Raises:
        ValueError: The URL is none of these.
        ImportError: The driver of PostgreSQL is not installed.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        reading = self._engine.execution_options(reading=True, postgresql_readonly=True)
        self._write = sessionmaker(self._engine, expire_on_commit=False)
        self._read = sessionmaker(reading, expire_on_commit=False, autoflush=False)

    def __repr__(self) -> str:
        return f"Database({self._engine.url.render_as_string(hide_password=True)})"

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @property
    def url(self) -> str:
        """Its address, with the password: for processes of this engine only."""
        return self._engine.url.render_as_string(hide_password=False)

    @contextmanager
    def begin(self) -> Iterator[Db]:
        """One transaction: committed at the end, rolled back on an error. On SQLite one at a time."""
        with self._write.begin() as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[Db]:
        """One transaction that writes nothing, and on SQLite does not wait for one that does."""
        with self._read.begin() as db:
            yield db

    def run(
        self,
        function: Callable[Concatenate[Db, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """``function(db, ...)`` in one transaction, again where it only met another one at a bad moment."""
        for tried in range(1, _TRIES + 1):
            try:
                with self.begin() as db:
                    return function(db, *args, **kwargs)
            except DBAPIError as error:
                if tried == _TRIES or not _passes(error):
                    raise
            time.sleep(random.uniform(0, 0.01 * 2**tried))
        raise AssertionError

    def upgrade(self) -> None:
        """Make the tables, or bring them to what this version needs; several processes may call it at once."""
        if self.dialect == "sqlite":
            self._to_wal()
        with self._engine.begin() as connection:
            if self.dialect == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADING})")
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        """Whether it answers and has the tables that this version needs.

        Raises:
            sqlalchemy.exc.DBAPIError: It does not answer.
            RuntimeError: The tables are of another version.
        """
        with self.reading() as db:
            found = set(MigrationContext.configure(db.connection()).get_current_heads())
        if found != self._heads:
            raise RuntimeError(f"the tables are of version {found or 'none'}, expected {self._heads}: run upgrade()")

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    @cached_property
    def _heads(self) -> set[str]:
        return set(ScriptDirectory.from_config(_config()).get_heads())

    def _to_wal(self) -> None:
        """Let readers go on beside a writer; the file remembers it. This statement does not wait as others do."""
        for tried in range(1, _TRIES + 1):
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:
                if tried == _TRIES:
                    raise
                time.sleep(0.01 * 2**tried)
            finally:
                raw.close()


def found(db: Db, kind: type[Row], id: int | str) -> Row:
    """A row by its id.

    Raises:
        NotFound: There is none.
    """
    return _row(db, kind, id, lock=False)


def locked(db: Db, kind: type[Row], id: int | str) -> Row:
    """A row as it is now, kept from other transactions until the end of this one.

    Whoever locks several takes them in this order, so that nobody waits for each other: user, video, task, object.

    Raises:
        NotFound: There is none.
    """
    return _row(db, kind, id, lock=True)


def _row(db: Db, kind: type[Row], id: int | str, lock: bool) -> Row:
    row = None
    if isinstance(id, str) or 0 < id < 2**63:  # more is no number of a database
        held = {"key_share": True} if lock else None
        row = db.get(kind, id, with_for_update=held, populate_existing=lock)
    if row is None:
        raise NotFound(f"there is no {kind.__name__.lower()} {id}; perhaps it was removed")
    return row


def _engine(url: str) -> Engine:
    try:
        address = sqlalchemy.make_url(url)
    except ArgumentError as error:
        raise ValueError(f"got a database URL that is none; {_EXPECTED}") from error
    dialect = address.get_backend_name()
    if dialect == "sqlite" and address.database not in (None, "", ":memory:"):
        engine = sqlalchemy.create_engine(
            address,
            connect_args={"timeout": _WAIT},
            pool_size=10,
            max_overflow=30,
            hide_parameters=True,  # they may be secrets, and errors are logged
        )
        event.listen(engine, "connect", _connected_to_sqlite)
        event.listen(engine, "begin", _begun_in_sqlite)
        return engine
    if dialect in ("postgresql", "postgres"):
        # A server that froze with a transaction open gives its locks back.
        options = f"-c lock_timeout={_WAIT}s -c idle_in_transaction_session_timeout={2 * _WAIT}s"
        try:
            engine = sqlalchemy.create_engine(
                address.set(drivername="postgresql+psycopg"),
                connect_args={"options": options},
                pool_pre_ping=True,
                pool_size=10,
                max_overflow=10,
                hide_parameters=True,
            )
        except ImportError as error:
            raise ImportError("PostgreSQL needs psycopg: pip install 'masklet[annotate,postgresql]'") from error
        event.listen(engine, "handle_error", _without_values)
        return engine
    raise ValueError(f"got a database URL of {dialect!r}; {_EXPECTED}")


_EXPECTED = "expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"


def _connected_to_sqlite(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # transactions begin where we say so
    raw.execute("PRAGMA foreign_keys=ON")


def _begun_in_sqlite(connection: Connection) -> None:
    # One that will write locks at once: one that reads first could not be sure to get the lock later.
    reads = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reads else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _without_values(context: ExceptionContext) -> None:
    """Take the details off an error of PostgreSQL: they repeat values of the row."""
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    if primary is not None:
        error.args = (primary,)
        if wrapped is not None:
            wrapped.args = (f"({type(error).__module__}.{type(error).__name__}) {primary}",)


def _passes(error: DBAPIError) -> bool:
    """Whether the same transaction may well succeed if it is tried again; it was rolled back."""
    if getattr(error.orig, "sqlstate", None) in _AGAIN:
        return True
    return isinstance(error.orig, sqlite3.OperationalError) and "locked" in str(error.orig)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE / "alembic").replace("%", "%%"))
    config.set_main_option("version_locations", str(_HERE / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
