from __future__ import annotations

import sqlite3
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from masklet.data_engine.database import Database, found, locked
from masklet.data_engine.errors import NotFound
from masklet.data_engine.schema import SignIn, Table, User


def add(db, name):
    db.add(User(name=name, role="admin"))
    db.flush()


def names(database):
    with database.reading() as db:
        return sorted(db.scalars(select(User.name)))


def test_migrations_make_the_tables_of_the_schema(new_url):
    database = Database(new_url)
    database.upgrade()
    with database.begin() as db:
        connection = db.connection()
        migrations = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(migrations, Table.metadata) == []
        for table in Table.metadata.sorted_tables:  # what alembic does not compare
            made = inspect(connection).get_columns(table.name)
            assert {c["name"]: c["nullable"] for c in made} == {c.name: c.nullable for c in table.columns}
            unique = {frozenset(u["column_names"]) for u in inspect(connection).get_unique_constraints(table.name)}
            said = [c for c in table.constraints if type(c).__name__ == "UniqueConstraint"]
            assert unique == {frozenset(column.name for column in c.columns) for c in said}
    database.close()


def test_upgrading_at_once_and_again(new_url):
    with ThreadPoolExecutor(4) as pool:
        databases = [Database(new_url) for _ in range(4)]
        list(pool.map(Database.upgrade, databases))
    for database in databases:
        database.check()
        database.close()


def test_check_wants_the_tables_of_this_version(new_url):
    database = Database(new_url)
    with pytest.raises(RuntimeError, match=r"upgrade\(\)"):
        database.check()
    database.close()


def test_an_error_rolls_back(database):
    def fail(db):
        add(db, "a")
        raise KeyError

    with pytest.raises(KeyError):
        database.run(fail)
    assert names(database) == []


def test_reading_writes_nothing(database):
    with pytest.raises(DBAPIError), database.reading() as db:
        add(db, "a")
    assert names(database) == []
    database.run(add, "a")
    assert names(database) == ["a"]


def test_readers_do_not_wait_for_a_writer(database):
    with database.begin() as db:
        add(db, "a")
        assert names(database) == []


def test_run_tries_again_what_met_another_transaction(database):
    tries = []

    def unlucky(db, name):
        add(db, name)
        tries.append(name)
        if len(tries) < 3:
            raise OperationalError("", {}, sqlite3.OperationalError("database is locked"))

    database.run(unlucky, "a")
    assert tries == ["a", "a", "a"]
    assert names(database) == ["a"]


def test_run_does_not_try_other_errors_again(database):
    tries = []

    def wrong(db):
        tries.append(1)
        db.connection().exec_driver_sql("SELECT nothing FROM nowhere")

    with pytest.raises(DBAPIError):
        database.run(wrong)
    assert len(tries) == 1


def test_a_deadlock_is_tried_again(postgres):
    for name in "ab":
        postgres.run(add, name)
    both = threading.Barrier(2)
    met = []

    def lock(db, first, second):
        locked(db, User, first)
        if len(met) < 2:
            met.append(first)
            both.wait(10)
        locked(db, User, second).role = "verifier"

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda ids: postgres.run(lock, *ids), [(1, 2), (2, 1)]))
    with postgres.reading() as db:
        assert {*db.scalars(select(User.role))} == {"verifier"}


def test_locked_sees_what_others_committed(database):
    database.run(add, "a")
    with database.reading() as db:
        old = found(db, User, 1)
    with database.begin() as db:
        locked(db, User, 1).role = "annotator"
    assert old.role == "admin"
    with database.begin() as db:
        assert locked(db, User, 1).role == "annotator"


@pytest.mark.parametrize("id", [0, -1, 99, 2**63, 10**40])
def test_no_number_is_too_strange(database, id):
    with database.begin() as db, pytest.raises(NotFound, match="there is no user"):
        found(db, User, id)


def test_locks_are_had_in_turn(database):
    """Increments from many threads, each reading before it writes: none is lost."""
    database.run(add, "0")

    def increment(db):
        user = locked(db, User, 1)
        user.name = str(int(user.name) + 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: database.run(increment), range(40)))
    assert names(database) == ["40"]


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url):
    with pytest.raises(ValueError, match="expected sqlite:///PATH or postgresql://"):
        Database(url)


def test_the_password_is_not_shown():
    database = Database("postgresql://me:secret@localhost/x")
    assert "secret" not in repr(database)
    assert "localhost" in repr(database)


@pytest.mark.parametrize("missing", [{}, {"user_id": None}])
def test_errors_tell_no_values(database, missing):
    database.run(add, "a")
    when = datetime(2025, 1, 1, tzinfo=timezone.utc)
    secrets = {"id": "0123 is a secret", "csrf": "4567 is a secret"}

    def sign_in(db, **values):
        db.add(SignIn(**{**secrets, "user_id": 1, "created": when, "expires": when, **values}))

    database.run(sign_in)
    with pytest.raises(IntegrityError) as met:
        database.run(sign_in, **missing)
    told = "".join(traceback.format_exception(met.value))
    assert "sign_ins" in told
    assert "is a secret" not in told
