from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import OperationalError

from masklet.data_engine import workers
from masklet.data_engine.database import Database
from masklet.data_engine.health import HealthCheck


def test_what_is_missing(sqlite: Database):
    now = [0.0]
    check = HealthCheck(sqlite, lambda: now[0])
    assert (check().ok, check().database, check().workers) == (False, True, 0)
    sqlite.run(workers.announce, "w", "ws://127.0.0.1:1")
    now[0] = 1.0
    assert (check().ok, check().workers) == (True, 1)


def test_many_who_ask_do_not_make_it_work(sqlite: Database, monkeypatch):
    now, looks = [0.0], []
    check = HealthCheck(sqlite, lambda: now[0])
    monkeypatch.setattr(sqlite, "check", lambda: looks.append(now[0]))
    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.5):
        for _ in range(50):
            assert check().database
    assert looks == [0.0, 1.0]


def test_a_database_that_hangs_holds_one_asker_only(sqlite: Database, monkeypatch):
    now, begun, ended = [0.0], threading.Event(), threading.Event()
    check = HealthCheck(sqlite, lambda: now[0])
    assert check().database

    def hang() -> None:
        begun.set()
        assert ended.wait(30)
        raise OperationalError("", {}, Exception("gone"))

    monkeypatch.setattr(sqlite, "check", hang)
    now[0] = 2.0
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(check)
        assert begun.wait(30)
        assert check().database  # nobody knows yet
        now[0] = 12.0
        assert not check().database
        ended.set()
        assert not asked.result().database
