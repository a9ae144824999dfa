"""Two people with a copy each: what one of them takes out stays with the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine_server import Page, Served, served, task_of
from masklet.data_engine import model_worker
from masklet.data_engine.schema import Masklet, Object, Task

CLICK = {"kind": "prompt", "frame": 1, "points": [[10, 20]], "labels": [1]}


@dataclass
class Copies:
    """A video of which ann and bob have a copy each, with objects 1 and 2."""

    server: Served
    tasks: dict[str, dict[str, Any]]

    def act(self, who: str, **message: Any) -> dict[str, Any]:
        with Page(self.server.client(who), self.tasks[who]["id"], self.tasks[who]["lease"]) as page:
            page.event("state")
            return page.act(**message)

    def undo(self, who: str, again: bool = False, **event: Any) -> None:
        self.server.pool.undone = event
        assert self.act(who, kind="redo" if again else "undo")["ok"]
        self.server.pool.undone = None

    def submit(self, who: str, *numbers: int) -> dict[str, Any]:
        self.server.pool.numbers = {*numbers}
        task = self.tasks[who]
        return self.server.client(who).post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]}).json()

    def one_is_sent_back(self, number: int) -> str:
        """Both objects are handed in by both and verified, one of them as wrong; gives who has it again."""
        for who in ("bob", "ann"):
            self.submit(who, 1, 2)
        vera, states = self.server.client("vera"), []
        for _ in range(2):
            task = task_of(vera, 1, "verify")
            states.append("unsatisfactory" if task["object"]["number"] == number else "satisfactory")
            said = {"lease": task["lease"], "verdict": states[-1]}
            assert vera.post(f"/api/tasks/{task['id']}/verdict", json=said).status_code == 200
        assert sorted(states) == ["satisfactory", "unsatisfactory"]
        for who in ("ann", "bob"):  # the other one may not take it
            answer = self.server.client(who).post("/api/projects/1/claim", json={"stage": "track"})
            if answer.status_code == 200:
                self.tasks[who] = answer.json()
                return who
        raise AssertionError

    @property
    def states(self) -> dict[int, str]:
        return self.server.serving.read(lambda db: {one.number: one.state for one in db.scalars(select(Object))})

    def shown(self, who: str) -> list[int]:
        """Objects in the page of one."""

        def numbers(db: Any) -> list[int]:
            session = db.get_one(Task, self.tasks[who]["id"]).session_id
            return [one["number"] for one in model_worker._objects(db, session) if one["state"] != "removed"]

        return self.server.serving.read(numbers)


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    with served(tmp_path, accounts=True) as one:
        for name, role in (("ann", "annotator"), ("bob", "annotator"), ("vera", "verifier")):
            one.add_user(name, role)  # type: ignore[arg-type]
        project = one.project(stages=["select", "track", "verify"], annotators=2)
        one.video(project)
        work = Copies(one, {"ann": task_of(one.client("ann"), project, "select")})
        for number in (1, 2):
            work.act("ann", **CLICK, object=number)
        work.submit("ann")
        work.tasks = {who: task_of(one.client(who), project) for who in ("ann", "bob")}
        yield work


def test_what_one_takes_out_stays_with_the_other(copies: Copies):
    assert copies.act("bob", kind="object_remove", object=1)["ok"]
    assert copies.states == {1: "selected", 2: "selected"}
    assert (copies.shown("ann"), copies.shown("bob")) == ([1, 2], [2])
    assert copies.act("ann", **CLICK, object=1)["ok"]
    assert copies.act("bob", **CLICK, object=1)["kind"] == "not_found"
    assert copies.submit("bob", 2)["state"] == "done"  # nothing is missed there
    assert copies.submit("ann", 1, 2)["state"] == "done"
    of = copies.server.serving.read(lambda db: [one.object_id for one in db.scalars(select(Masklet))])
    assert sorted(of) == [1, 2, 2]
    assert copies.states == {1: "tracked", 2: "tracked"}


def test_agreement_in_a_project_comes_in_pieces(copies: Copies):
    for who in ("bob", "ann"):
        copies.submit(who, 1, 2)
    ann = copies.server.client("ann")
    answer = ann.get("/api/projects/1/agreement", params={"most": 1}).json()
    assert answer["next"] is None
    assert [(one["video"], one["object"], one["copies"], one["mean"]) for one in answer["objects"]] == [
        ("walk", 1, 2, 1.0),
        ("walk", 2, 2, 1.0),
    ]
    assert ann.get("/api/projects/1/agreement", params={"after": 1}).json() == {"objects": [], "next": None}


def test_the_last_one_takes_it_out_of_the_video(copies: Copies):
    copies.act("bob", kind="object_remove", object=1)
    copies.act("ann", kind="merge", object=2, other=1)
    assert copies.states == {1: "removed", 2: "selected"}
    copies.undo("ann", kind="merge", objects=[2, 1])
    assert copies.states == {1: "selected", 2: "selected"}
    assert (copies.shown("ann"), copies.shown("bob")) == ([1, 2], [2])
    copies.undo("ann", again=True, kind="merge", objects=[2, 1])
    assert copies.states[1] == "removed"


def test_undo_brings_it_back_into_the_copy(copies: Copies):
    copies.act("bob", kind="object_remove", object=1)
    copies.undo("bob", kind="remove", objects=[1])
    assert copies.shown("bob") == [1, 2]
    copies.undo("bob", again=True, kind="remove", objects=[1])
    assert copies.shown("bob") == [2]
    copies.undo("bob", kind="remove", objects=[1])
    copies.undo("bob", kind="prompt", objects=[1])  # this takes no object away
    assert copies.shown("bob") == [1, 2]
    assert copies.act("bob", **CLICK, object=1)["ok"]


def test_an_object_of_one_is_removed_by_this_one(copies: Copies):
    assert copies.act("bob", kind="split", object=1, frame=2)["other"] == 3
    copies.undo("bob", kind="split", objects=[1, 3])
    assert copies.states[3] == "removed"
    copies.undo("bob", again=True, kind="split", objects=[1, 3])
    copies.act("ann", **CLICK, object=3)  # now it is ann's, too
    copies.act("bob", kind="object_remove", object=3)
    assert copies.states[3] == "selected"


def test_who_takes_everything_out_can_hand_that_in(copies: Copies):
    for number in (1, 2):
        copies.act("bob", kind="object_remove", object=number)
    assert copies.submit("bob")["state"] == "done"
    assert copies.states == {1: "selected", 2: "selected"}


def test_what_came_back_to_one_is_removed_by_this_one(copies: Copies):
    who = copies.one_is_sent_back(1)
    assert copies.act(who, kind="object_remove", object=1)["ok"]
    assert copies.states == {1: "removed", 2: "satisfactory"}
    assert copies.submit(who)["state"] == "done"


def test_what_was_verified_is_not_removed(copies: Copies):
    who = copies.one_is_sent_back(2)
    for message in ({"kind": "object_remove", "object": 1}, {"kind": "merge", "object": 2, "other": 1}):
        reply = copies.act(who, **message)
        assert (reply["kind"], "object 1 was verified" in reply["error"]) == ("refused", True)
    copies.undo(who, kind="split", objects=[2, 1])  # nor by a detour
    assert copies.states == {1: "satisfactory", 2: "unsatisfactory"}
