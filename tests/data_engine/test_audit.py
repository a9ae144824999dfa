from __future__ import annotations

from engine_work import START, later, people
from masklet.data_engine.audit import record, recorded


def test_lines_newest_first(database):
    [ann] = people(database, "ann")
    with database.begin() as db:
        for i in range(5):
            record(db, ann.id, "1.2.3.4", f"deed {i}", target="x" * 500, at=later(i))
        record(db, None, "a" * 100, "w" * 100, ok=False, at=START)
    with database.reading() as db:
        first = recorded(db, most=2)
        assert [(a.user_id, a.what, a.ok) for a in first] == [(None, "w" * 60, False), (ann.id, "deed 4", True)]
        assert [a.what for a in recorded(db, before=first[-1].id)] == ["deed 3", "deed 2", "deed 1", "deed 0"]
        assert len(first[1].target) == 200
        assert first[1].created == later(4)
