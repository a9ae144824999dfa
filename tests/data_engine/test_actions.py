from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import func, select

from engine_work import START, act, later, overlapping, people, project, taken
from masklet.data_engine import actions
from masklet.data_engine.database import found
from masklet.data_engine.errors import NotFound, Refused
from masklet.data_engine.schema import Action, Task
from masklet.data_engine.tasks import release


@pytest.fixture
def work(database):
    [ann] = people(database, "ann")
    p = project(database, stages=["track"])
    with database.begin() as db:
        return database, ann, taken(db, ann, p, "track")


def test_an_action_is_logged_once(work):
    database, ann, task = work
    given = {"frame": 3, "number": 1, "clicks": 2, "body": {"points": [[1, 2.5]]}}
    with database.begin() as db:
        action, fresh = actions.begin(db, task, ann, "a", "prompt", **given, seconds=4.0, at=later(10))
        assert fresh
        assert (action.state, action.seconds, action.created) == ("begun", 4.0, later(10))
    with database.begin() as db:
        again, fresh = actions.begin(db, task, ann, "a", "prompt", **given, seconds=4.0, at=later(11))
        assert (again.id, again.state, fresh) == (action.id, "begun", False)
        actions.finish(db, action.id, at=later(12))
    with database.begin() as db:
        again, fresh = actions.begin(db, task, ann, "a", "prompt", **given, at=later(13))
        assert (again.state, again.done, fresh) == ("done", later(12), False)
        assert [a.id for a in actions.actions_of(db, task_id=task.id)] == [action.id]
        assert [a.id for a in actions.actions_of(db, session_id=task.session_id)] == [action.id]
        assert found(db, Task, task.id).seconds == 4.0


def test_a_refused_action_says_why(work):
    database, ann, task = work
    with database.begin() as db:
        action, _ = actions.begin(db, task, ann, "a", "prompt")
        actions.refuse(db, action.id, "no such object")
        again, fresh = actions.begin(db, task, ann, "a", "prompt")
        assert (again.state, again.error, fresh) == ("refused", "no such object", False)
        done = act(db, task, ann, "b", frame=0)
        assert actions.refuse(db, done.id, "too late").state == "done"


def test_a_name_belongs_to_one_action(work):
    database, ann, task = work
    with database.begin() as db:
        actions.begin(db, task, ann, "a", "prompt", frame=1)
        for other in (
            {"kind": "mask", "frame": 1},
            {"kind": "prompt", "frame": 2},
            {"kind": "prompt", "body": {"x": 1}},
        ):
            with pytest.raises(Refused, match="another action"):
                actions.begin(db, task, ann, "a", **other)


def test_a_client_cannot_claim_more_time_than_passed(work):
    database, ann, task = work
    with database.begin() as db:
        seconds = [
            act(db, task, ann, str(i), frame=0, seconds=60.0, at=later(when)).seconds
            for i, when in enumerate((10, 14, 14, 100))
        ]
        assert seconds == [10, 4, 0, 60]
        assert found(db, Task, task.id).seconds == 74
        release(db, task.id, ann, task.lease)
        again = taken(db, ann, task.project_id, "track", later(1000))
        assert act(db, again, ann, "b", frame=0, seconds=60.0, at=later(1002)).seconds == 2


def test_simulated_users_say_themselves_how_long_they_take(database):
    [ann] = people(database, "ann")
    p = project(database, simulated=True)
    with database.begin() as db:
        task = taken(db, ann, p, "select")
        assert act(db, task, ann, "a", frame=0, seconds=60.0, at=START).seconds == 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"frame": -1},
        {"clicks": 10**12},
        {"name": "a\0"},
        {"name": ""},
        {"name": "a" * 65},
    ],
)
def test_strange_values(work, wrong):
    database, ann, task = work
    with database.begin() as db, pytest.raises(Refused):
        actions.begin(db, task, ann, **{"name": "a", "kind": "prompt"} | wrong)


def test_a_task_that_was_removed(work):
    database, ann, task = work
    task.id = 99
    with database.begin() as db, pytest.raises(NotFound):
        actions.begin(db, task, ann, "a", "prompt")
    with database.begin() as db, pytest.raises(NotFound):
        actions.finish(db, 99)


def test_the_number_of_a_new_object_is_logged(work):
    database, ann, task = work
    with database.begin() as db:
        action, _ = actions.begin(db, task, ann, "a", "object_add")
        assert actions.set_number(db, action.id, 7).number == 7
        assert actions.begin(db, task, ann, "a", "object_add")[1] is False


def test_retries_at_once_are_one_action_and_all_seconds_count_once(work):
    database, ann, task = work

    def send(i):
        name = str(i % 10)
        action, fresh = database.run(actions.begin, task, ann, name, "prompt", clicks=1, seconds=1.0, at=later(1 + i))
        database.run(actions.finish, action.id)
        return name, fresh

    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(send, range(40)))
    assert sorted(name for name, fresh in sent if fresh) == list("0123456789")
    with database.begin() as db:
        assert db.scalar(select(func.count()).where(Action.state == "done")) == 10
        logged = db.scalar(select(func.sum(Action.seconds)))
        assert found(db, Task, task.id).seconds == pytest.approx(logged)


def test_an_action_that_is_sent_again_while_it_is_logged(work):
    database, ann, task = work
    send = partial(actions.begin, task=task, user=ann, name="a", kind="prompt", seconds=1.0, at=later(5))
    (one, fresh), (other, again) = overlapping(database, send, send)
    assert (one.id, fresh, again) == (other.id, True, False)
    with database.reading() as db:
        assert found(db, Task, task.id).seconds == 1
