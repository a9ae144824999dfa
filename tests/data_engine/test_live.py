"""The protocol of live connections, with a stub in place of model workers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.websockets import WebSocketDisconnect

from engine_server import Page, Served, served, task_of
from masklet.data_engine import live_connection
from masklet.data_engine.accounts import change_user
from masklet.data_engine.database import Db
from masklet.data_engine.schema import Action, Masklet, Object, Task, User

CLICK = {"kind": "prompt", "frame": 1, "object": 1, "points": [[10, 20]], "labels": [1]}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as one:
        one.video(one.project())
        yield one


@pytest.fixture
def task(local: Served) -> dict[str, Any]:
    return task_of(local.client(), 1)


def rows(one: Served, kind: type[Any]) -> list[Any]:
    return one.serving.read(lambda db: list(db.scalars(select(kind).order_by(kind.id))))


def test_an_action_is_logged_and_done_and_answered(local: Served, task: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        assert page.event("state")["objects"] == []
        reply = page.act(**CLICK)
    assert reply["ok"]
    assert reply["mask"]["object"] == 1
    assert reply["ms"] >= 0
    (action,) = rows(local, Action)
    assert (action.kind, action.state, action.frame, action.number, action.clicks) == ("prompt", "done", 1, 1, 1)
    assert [one.number for one in rows(local, Object)] == [1]


def test_what_is_sent_again_is_answered_again_and_not_done_again(local: Served, task: dict[str, Any]):
    name = str(uuid.uuid4())
    for _ in range(2):  # the second time on another connection
        with Page(local.client(), task["id"], task["lease"]) as page:
            for _ in range(2):
                reply = page.act(**CLICK, name=name)
                assert reply["mask"]["frame"] == 1
    assert len(rows(local, Action)) == 1
    assert [message["do"] for _, message in local.pool.asked].count("act") == 1
    with Page(local.client(), task["id"], task["lease"]) as page:
        other = page.act(**{**CLICK, "frame": 2}, name=name)  # another action under that name
        assert (other["ok"], other["kind"]) == (False, "refused")


def test_one_whose_answer_was_lost_is_told_to_the_worker_again(local: Served, task: dict[str, Any]):
    name = str(uuid.uuid4())
    with Page(local.client(), task["id"], task["lease"]) as page:
        local.pool.busy = False
        page.event("state")
        local.pool.refusal = {"kind": "failed", "error": "it broke"}
        reply = page.act(**CLICK, name=name)
        assert (reply["kind"], reply["error"]) == ("failed", "the server failed; its log says why")
        assert rows(local, Action)[0].state == "begun"
        assert page.act(**CLICK, name=name)["ok"]
    assert rows(local, Action)[0].state == "done"


def test_what_the_worker_refuses(local: Served, task: dict[str, Any]):
    local.pool.refusal = {"kind": "refused", "error": "there is nothing to undo"}
    name = str(uuid.uuid4())
    with Page(local.client(), task["id"], task["lease"]) as page:
        for _ in range(2):
            reply = page.act(kind="undo", name=name)
            assert (reply["ok"], reply["kind"], reply["error"]) == (False, "refused", "there is nothing to undo")
    assert rows(local, Action)[0].state == "refused"


def test_busy_workers(local: Served, task: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        page.event("state")
        local.pool.busy = True
        assert page.act(**CLICK)["kind"] == "busy"
        local.pool.busy = False
        assert page.act(**CLICK)["ok"]


def test_a_flood_of_actions_is_held_back(local: Served, task: dict[str, Any]):
    local.pool.hold = asyncio.Event()
    with Page(local.client(), task["id"], task["lease"]) as page:
        page.event("state")
        numbers = [page.send(**CLICK, name=str(uuid.uuid4())) for _ in range(live_connection.MOST_WAITING + 3)]
        busy = [page.socket.receive_json() for _ in range(2)]
        assert {one["kind"] for one in busy} == {"busy"}
        local.call(local.pool.hold.set)
        done = [page.socket.receive_json() for _ in range(len(numbers) - len(busy))]
    assert all(one["ok"] for one in done if "reply" in one)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "nothing"},
        {"kind": "prompt", "frame": 1, "object": 1},
        {**CLICK, "name": "no uuid"},
        {**CLICK, "name": str(uuid.uuid4()), "object": 0},
        {**CLICK, "name": str(uuid.uuid4()), "frame": -1},
        {**CLICK, "name": str(uuid.uuid4()), "frame": 2**70},
        {**CLICK, "name": str(uuid.uuid4()), "points": [[1, "x"]]},
        {**CLICK, "name": str(uuid.uuid4()), "seconds": -1},
        {"kind": "mask", "frame": 1, "object": 1, "counts": "é", "name": str(uuid.uuid4())},
        {"kind": "masks", "first": 0, "count": 100_000},
    ],
)
def test_messages_that_are_not_well_formed(local: Served, task: dict[str, Any], message: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        reply = page.ask(**message)
        assert (reply["ok"], reply["kind"]) == (False, "invalid")
        page.socket.send_text("{")
        assert page.reply(None)["kind"] == "invalid"
        assert page.act(**CLICK)["ok"]  # it goes on


def test_reading(local: Served, task: dict[str, Any]):
    local.pool.numbers = {1, 2}
    with Page(local.client(), task["id"], None) as page:
        masks = page.ask(kind="masks", first=1, count=2)["masks"]
        assert [(one["object"], one["frame"]) for one in masks] == [(1, 1), (1, 2), (2, 1), (2, 2)]
        assert page.ask(kind="scores")["scores"] == []
        assert page.ask(kind="look", frame=1)["ok"]
        for message in (CLICK | {"name": str(uuid.uuid4())}, {"kind": "heartbeat"}):  # without a lease one looks on
            assert page.ask(**message)["kind"] == "lease_lost"


def test_objects(local: Served, task: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        name = str(uuid.uuid4())
        for _ in range(2):
            assert page.act(kind="object_add", label="cat", colour="#ff0000", name=name)["object"] == 1
        assert page.act(kind="object_add")["object"] == 2
        assert page.act(kind="object_change", object=2, label="dog")["ok"]
        assert page.act(kind="split", object=1, frame=2)["other"] == 3
        local.pool.refusal = {"kind": "refused", "error": "the object is not there"}
        assert page.act(kind="split", object=1, frame=3)["kind"] == "refused"
        assert page.act(kind="merge", object=1, other=3)["ok"]
        assert page.act(kind="object_remove", object=2)["ok"]
        assert page.act(kind="object_remove", object=2)["kind"] == "not_found"
        assert states(local) == {1: "selected", 2: "removed", 3: "removed", 4: "removed"}
        local.pool.undone = {"kind": "remove", "objects": [2]}
        page.act(kind="undo")
        local.pool.undone = {"kind": "merge", "objects": [1, 3]}
        page.act(kind="undo")
        assert states(local) == {1: "selected", 2: "selected", 3: "selected", 4: "removed"}
        local.pool.undone = {"kind": "split", "objects": [1, 3]}
        page.act(kind="undo")
        assert states(local)[3] == "removed"
        page.act(kind="redo")
        assert states(local)[3] == "selected"
    assert [one.name for one in rows(local, Object)][:2] == ["cat", "dog"]
    assert rows(local, Object)[0].colour == "#ff0000"


def states(one: Served) -> dict[int, str]:
    return {row.number: row.state for row in rows(one, Object)}


def test_the_lease_goes_on_with_heartbeats(local: Served, task: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        assert page.ask(kind="heartbeat")["lease_expires"] > task["lease_expires"].replace("Z", "+00:00")


def test_a_lost_lease_ends_the_right_to_act_and_nothing_else(local: Served, task: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        page.event("state")
        again = local.client().post(f"/api/tasks/{task['id']}/claim").json()  # in another window
        reply = page.act(**CLICK)
        assert (reply["ok"], reply["kind"]) == (False, "lease_lost")
        page.event("lease_lost")
        assert page.ask(kind="masks", first=0, count=1)["ok"]
    assert not rows(local, Action)
    with Page(local.client(), task["id"], again["lease"]) as page:
        assert page.act(**CLICK)["ok"]


def test_a_lease_that_is_lost_meanwhile_is_told(local: Served, task: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_connection, "LOOK_EVERY", 0.05)
    with Page(local.client(), task["id"], task["lease"]) as page:
        page.event("state")
        local.client().post(f"/api/tasks/{task['id']}/claim")
        page.event("lease_lost")


def test_events_are_handed_on(local: Served, task: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        page.event("state")
        (listener,) = local.pool.listeners
        local.call(listener.put, {"event": "frame", "frame": 1, "masks": [], "left": 2})
        local.call(listener.put, {"event": "finished", "name": "x", "frames": 1, "error": None})
        assert page.event("frame")["left"] == 2
        assert page.event("finished")["frames"] == 1


@pytest.mark.parametrize(
    "headers", [{"origin": "http://other.example"}, {"host": "other.example"}, {"sec-fetch-site": "cross-site"}]
)
def test_other_sites_get_no_connection(local: Served, task: dict[str, Any], headers: dict[str, str]):
    with (
        pytest.raises(WebSocketDisconnect),
        local.client().websocket_connect(f"/api/tasks/{task['id']}/live", headers=headers),
    ):
        pass


@pytest.mark.parametrize(
    ("hello", "kind"),
    [
        ('{"csrf": "wrong", "lease": null}', "forbidden"),
        ('{"lease": null}', "invalid"),
        ("{", "invalid"),
        ('{"csrf": "CSRF", "lease": "0123"}', "lease_lost"),
    ],
)
def test_first_messages_that_are_refused(local: Served, task: dict[str, Any], hello: str, kind: str):
    client = local.client()
    with client.websocket_connect(f"/api/tasks/{task['id']}/live") as socket:
        socket.send_text(hello.replace("CSRF", client.headers["X-Masklet-CSRF"]))
        reply = socket.receive_json()
        assert (reply["reply"], reply["ok"], reply["kind"]) == (None, False, kind)
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_json()
        assert ended.value.code == 4403


@pytest.mark.parametrize("number", [0, 99, 2**70])
def test_tasks_that_are_not_there(local: Served, number: int):
    with Page(local.client(), number, None) as page:
        assert page.reply(None)["kind"] == "not_found"


def test_who_is_not_signed_in(tmp_path: Path):
    with served(tmp_path, accounts=True) as one:
        one.video(one.project())
        with one.client("nobody").websocket_connect("/api/tasks/1/live") as socket:
            assert socket.receive_json()["kind"] == "unauthenticated"
            with pytest.raises(WebSocketDisconnect) as ended:
                socket.receive_json()
            assert ended.value.code == 4401


def test_roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_connection, "LOOK_EVERY", 0.05)
    with served(tmp_path, accounts=True) as one:
        for role in ("annotator", "verifier", "admin"):
            one.add_user(role, role)
        one.video(one.project())
        task = task_of(one.client("annotator"), 1)
        for role in ("verifier", "admin"):
            with Page(one.client(role), task["id"], task["lease"]) as page:  # a lease is of its holder only
                assert page.reply(None)["kind"] == "lease_lost"
            with Page(one.client(role), task["id"], None) as page:
                assert page.ask(kind="masks", first=0, count=1)["ok"]
        with Page(one.client("annotator"), task["id"], task["lease"]) as page:
            assert page.act(**CLICK)["ok"]
            one.serving.write(_close, "annotator")
            with pytest.raises(WebSocketDisconnect) as ended:
                page.event("never")
            assert ended.value.code == 4401


def _close(db: Db, name: str) -> None:
    user = db.scalar(select(User).where(User.name == name))
    assert user is not None
    change_user(db, user.id, active=False)


def test_a_verification_changes_no_masks(local: Served, task: dict[str, Any]):
    local.pool.numbers = {1}
    local.client().post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]})
    verify = task_of(local.client(), 1, "verify")
    with Page(local.client(), verify["id"], verify["lease"]) as page:
        assert page.act(**CLICK)["kind"] == "refused"
        assert page.ask(kind="heartbeat")["ok"]


def test_the_time_that_it_took_is_counted(local: Served, task: dict[str, Any]):
    with Page(local.client(), task["id"], task["lease"]) as page:
        page.act(**CLICK, seconds=0.001)
    assert 0 < next(row.seconds for row in rows(local, Task) if row.id == task["id"]) <= 0.001


def test_that_an_object_is_absent_is_logged_as_an_edit(local: Served, task: dict[str, Any]):
    name = str(uuid.uuid4())
    with Page(local.client(), task["id"], task["lease"]) as page:
        for _ in range(2):
            reply = page.act(kind="absent", frame=1, last=3, object=1, name=name)
            assert (reply["mask"]["frame"], reply["mask"]["object"]) == (1, 1)
        assert page.act(kind="present", frame=2, object=1)["ok"]
    absent, present = rows(local, Action)
    assert (absent.kind, absent.state, absent.frame, absent.body["last"], absent.clicks) == ("absent", "done", 1, 3, 0)
    assert (present.kind, present.state, present.frame) == ("present", "done", 2)
    assert [one.state for one in rows(local, Object)] == ["selected"]  # a new object may begin so
    assert local.client().post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]}).status_code == 200
    assert [(one.edited, one.clicks) for one in rows(local, Masklet)] == [(1, 0)]
