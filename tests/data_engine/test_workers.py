from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import select

from engine_work import START, later, overlapping, project
from masklet.data_engine import workers
from masklet.data_engine.database import found
from masklet.data_engine.errors import NotFound, NoWorker
from masklet.data_engine.schema import Session, Worker


def announced(database, *names, at=START):
    with database.begin() as db:
        for name in names:
            workers.announce(db, name, f"ws://127.0.0.1/{name}", at=at)


def sessions(database, count):
    project(database, videos=tuple(f"v{i}" for i in range(count)))
    with database.reading() as db:
        return list(db.scalars(select(Session.id).order_by(Session.id)))


def test_heartbeats(database):
    announced(database, "a", "b")
    with database.begin() as db:
        assert workers.beat(db, "b", sessions=3, waiting=1, at=later(8))
        assert [w.id for w in workers.alive(db, at=later(9))] == ["a", "b"]  # the least busy first
        assert [w.id for w in workers.alive(db, at=later(11))] == ["b"]
        assert workers.alive(db, at=later(19)) == []
        assert not workers.beat(db, "c")


def test_a_session_stays_where_it_is_while_its_worker_lives(database):
    announced(database, "a", "b")
    [s] = sessions(database, 1)
    with database.begin() as db:
        assert workers.give_session(db, s, at=later(1)).id == "a"
        workers.beat(db, "a", sessions=50, at=later(8))
        workers.beat(db, "b", sessions=0, at=later(8))
        assert workers.give_session(db, s, at=later(9)).id == "a"
        assert found(db, Session, s).epoch == 1
        assert workers.has_session(db, s, "a", 1)
        workers.beat(db, "b", at=later(20))
        assert workers.give_session(db, s, at=later(21)).id == "b"
        assert found(db, Session, s).epoch == 2
        assert not workers.has_session(db, s, "a", 1)
        assert workers.has_session(db, s, "b", 2)


def test_a_worker_that_leaves(database):
    announced(database, "a")
    [s] = sessions(database, 1)
    with database.begin() as db:
        workers.give_session(db, s, at=START)
        workers.leave(db, "a")
        assert found(db, Session, s).worker_id is None
        with pytest.raises(NoWorker, match="try again"):
            workers.give_session(db, s, at=START)
        with pytest.raises(NotFound):
            workers.give_session(db, 99)


def test_those_that_died_long_ago_are_forgotten(database):
    announced(database, "a")
    [s] = sessions(database, 1)
    with database.begin() as db:
        workers.give_session(db, s, at=START)
    announced(database, "b", at=later(3601))
    with database.begin() as db:
        assert list(db.scalars(select(Worker.id))) == ["b"]
        assert workers.give_session(db, s, at=later(3602)).id == "b"
    announced(database, "b", at=later(3700))  # again, after it lost its row or its connection
    with database.begin() as db:
        assert found(db, Worker, "b").heartbeat == later(3700)


def test_sessions_that_come_at_once_spread(database):
    announced(database, "a", "b")
    ids = sessions(database, 8)
    with ThreadPoolExecutor(4) as pool:
        # Every session twice, as two servers would: both get the same answer.
        given = list(pool.map(lambda s: (s, database.run(workers.give_session, s, at=later(1)).id), ids * 2))
    assert len({*given}) == 8
    of_a = sum(worker == "a" for _, worker in {*given})
    assert 2 <= of_a <= 6
    with database.reading() as db:
        assert {*db.scalars(select(Session.epoch))} == {1}


def test_a_session_that_two_servers_give_at_once(database):
    announced(database, "a", "b")
    [s] = sessions(database, 1)
    give = partial(workers.give_session, session_id=s, at=later(1))
    one, other = overlapping(database, give, give)
    assert one.id == other.id
    with database.reading() as db:
        assert found(db, Session, s).epoch == 1
