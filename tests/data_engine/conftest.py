"""Databases for the tests of the data engine: SQLite always, PostgreSQL where it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from masklet.data_engine.database import Database
from masklet.data_engine.schema import Table
from postgres_server import new_database, postgres_server, programs


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server of our own; skips where there is no PostgreSQL."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg")
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "engine.sqlite"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    return path


@pytest.fixture(scope="session")
def empty_postgres(postgres_url: str) -> Iterator[Database]:
    """A database with tables, which every test empties before it starts."""
    database = Database(new_database(postgres_url, "store"))
    database.upgrade()
    yield database
    database.close()


@pytest.fixture
def sqlite(empty_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(empty_sqlite, tmp_path / "engine.sqlite")
    database = Database(f"sqlite:///{tmp_path / 'engine.sqlite'}")
    yield database
    database.close()


@pytest.fixture
def postgres(empty_postgres: Database) -> Database:
    with empty_postgres.begin() as db:
        names = ", ".join(table.name for table in Table.metadata.sorted_tables)
        db.connection().exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
    return empty_postgres


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database with tables; every test runs on both kinds."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.sqlite'}"
    return new_database(request.getfixturevalue("postgres_url"), "new")
