from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from made_engine import Client, MadeEngine, client, give_to, made_engine, opening, serving
from masklet.checkpoints.load import load
from masklet.data_engine import workers
from masklet.data_engine.database import Database
from masklet.data_engine.frame_pack import FramePack
from masklet.data_engine.model_pool import handed_in
from masklet.data_engine.model_worker import ModelWorker
from masklet.data_engine.schema import Phase
from masklet.inference.session import VideoSession
from masklet.masks import rle
from masklet.model.sam2 import Sam2
from masklet.video.frames import FrameSource
from tiny_model import DISC, SQUARE

pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture
def engine(sqlite: Database, tmp_path: Path, tiny: Sam2, frames: list[np.ndarray]) -> MadeEngine:
    return made_engine(sqlite, tmp_path, tiny, frames)


def click(point: tuple[int, int] = DISC, name: str = "a", frame: int = 0, target: int = 1, **more: Any) -> dict:
    given = {"points": [list(point)], "labels": [1], "frame": frame, "object": target}
    return {"do": "act", "kind": "prompt", "name": name, **given, **more}


def run(engine: MadeEngine, talk: Callable[[Client, ModelWorker, str], Any], **options: Any) -> None:
    """Talk to a worker of this process."""

    async def go() -> None:
        worker = ModelWorker(engine.workspace, engine.database, "me", "token", load, **options)
        async with serving(engine, worker) as address, client(address) as one:
            await talk(one, worker, address)

    asyncio.run(go())


def saved(engine: MadeEngine, session: int) -> VideoSession:
    """What a session's file holds."""
    source = FrameSource(FramePack(next(engine.workspace.root.glob("videos/*"))))
    return VideoSession.load(engine.file(session), source, load(engine.model))


def test_a_session_is_annotated_and_handed_in(engine: MadeEngine):
    session = engine.session()

    async def talk(one: Client, *_: Any) -> None:
        opened = await one.ask(**opening(engine, session))
        assert opened["ok"]
        (target,) = opened["state"]["objects"]
        assert (target["name"], target["number"], target["prompted"], target["tracked"]) == ("disc", 1, [], [])
        assert (opened["state"]["undo"], opened["state"]["running"]) == (None, None)

        reply = await one.ask(session=session, **click())
        plain = VideoSession(FrameSource(FramePack(next(engine.workspace.root.glob("videos/*")))), load(engine.model))
        wanted = plain.prompt(0, 1, points=[DISC])
        shape = {"size": [48, 72], "counts": reply["mask"]["counts"]}
        assert np.array_equal(rle.decode(shape), wanted.mask)
        assert (reply["mask"]["area"], reply["mask"]["prompted"]) == (wanted.area, True)
        x0, y0, x1, y1 = reply["mask"]["box"]
        assert wanted.mask[y0:y1, x0:x1].sum() == wanted.area
        assert (reply["mask"]["points"], reply["mask"]["labels"], reply["mask"]["box_prompt"]) == ([[*DISC]], [1], None)
        assert reply["mask"]["confidence"] == pytest.approx(wanted.confidence, abs=1e-4)
        state = (await one.event("state"))["state"]
        assert state["undo"] == {"kind": "prompt", "objects": [1], "frame": 0, "last": None}
        assert state["objects"][0]["prompted"] == [0]
        assert saved(engine, session).objects == [1]

        assert (await one.ask(do="look", session=session, frame=5))["ok"]
        begun = await one.ask(do="propagate", session=session, name="p", start=0, stop=5)
        assert begun["ok"]
        masks = {}
        for t in range(6):
            frame = await one.event("frame")
            assert (frame["frame"], frame["left"]) == (t, 5 - t)
            masks[t] = frame["masks"]
            await one.more(session)
        finished = await one.event("finished")
        assert (finished["name"], finished["frames"], finished["error"]) == ("p", 6, None)
        followed = {r.frame: r[1].rle()["counts"] for r in plain.propagate(start=0, stop=5)}
        assert {t: m[0]["counts"] for t, m in masks.items()} == followed
        state = (await one.event("state"))["state"]
        assert (state["objects"][0]["tracked"], state["running"]) == ([[0, 5]], None)

        again = await one.ask(do="masks", session=session, first=0, count=3)
        assert again["masks"] == [masks[t][0] for t in (0, 1, 2)]
        assert ["points" in mask for mask in again["masks"]] == [True, False, False]
        scores = await one.ask(do="scores", session=session, object=1)
        assert (scores["object"], scores["first"], len(scores["confidence"])) == (1, 0, 6)
        assert (await one.ask(do="scores", session=session))["scores"][0]["confidence"] == scores["confidence"]
        suggestions = (await one.ask(do="suggest", session=session, k=2))["suggestions"]
        assert all(1 <= s["frame"] <= 5 for s in suggestions)
        collected = (await one.ask(do="collect", session=session, every=2))["masklets"]
        assert [m["frame"] for m in collected["1"]] == [0, 2, 4]
        assert [m["prompted"] for m in collected["1"]] == [True, False, False]
        masks = handed_in({"masklets": collected})[1]
        assert [(m.frame, m.counts.decode(), m.prompted) for m in masks] == [
            (m["frame"], m["counts"], m["prompted"]) for m in collected["1"]
        ]
        undone = await one.ask(do="act", session=session, kind="undo", name="u")
        assert undone["undone"]["kind"] == "propagate"
        state = (await one.event("state"))["state"]
        assert state["redo"] == {"kind": "propagate", "objects": [], "frame": 0, "last": 5}

    run(engine, talk)
    assert not engine.database.run(workers.alive)
    assert saved(engine, session).objects == [1]


def test_what_is_sent_again_is_done_once(engine: MadeEngine):
    session = engine.session()

    async def talk(one: Client, *_: Any) -> None:
        await one.ask(**opening(engine, session))
        first = await one.ask(session=session, **click())
        again = await one.ask(session=session, **click())
        assert again["mask"] == first["mask"]
        assert len(saved(engine, session).tracks[1].prompts[0].points) == 1
        await one.ask(session=session, **click(SQUARE, "b", frame=3))
        for _ in range(2):
            assert (await one.ask(do="act", session=session, kind="undo", name="u"))["ok"]
        assert [*saved(engine, session).tracks[1].prompts] == [0]

    run(engine, talk)

    async def later(one: Client, *_: Any) -> None:
        await one.ask(**opening(engine, session))
        assert (await one.ask(session=session, **click()))["mask"]
        assert (await one.ask(session=session, **click(SQUARE, "b", frame=3)))["mask"] is None  # it was undone
        tracks = saved(engine, session).tracks
        assert [*tracks[1].prompts] == [0]
        assert len(tracks[1].prompts[0].points) == 1
        refused = await one.ask(session=session, **click((-3, 999), "c"))
        assert (refused["ok"], refused["kind"]) == (False, "refused")
        assert (await one.ask(session=session, **click(SQUARE, "c", frame=4)))["ok"]  # a refused one is not done

    run(engine, later)


def test_tracking_waits_for_a_listener_that_is_slow_and_can_be_stopped(engine: MadeEngine):
    session = engine.session(frames=40)

    async def talk(one: Client, worker: ModelWorker, address: str) -> None:
        await one.ask(**opening(engine, session))
        await one.ask(session=session, **click())
        assert (await one.ask(do="propagate", session=session, name="p"))["ok"]
        for _ in range(8):
            await one.event("frame")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(one.connection.recv(), 0.5)
        state = (await one.ask(do="state", session=session))["state"]
        last = state["objects"][0]["tracked"][-1][-1]
        assert 7 <= last <= 12
        assert state["running"] == {"direction": "forward", "start": 0, "stop": None, "frame": 7}
        assert engine.row(session).running is not None
        assert "stop it first" in (await one.ask(do="propagate", session=session, name="q"))["error"]
        assert (await one.ask(do="propagate", session=session, name="p"))["ok"]  # sent again: it goes on
        assert (await one.ask(session=session, **click(SQUARE, "c", target=2)))["ok"]  # clicks go ahead
        await one.more(session, 3)
        assert [(await one.event("frame"))["frame"] for _ in range(3)] == [8, 9, 10]
        async with client(address) as other:  # another listener, which goes away
            await other.ask(**opening(engine, session))
            await one.more(session, 8)
            await other.event("frame")
        stopped = await one.ask(do="stop", session=session)
        assert stopped["ok"]
        assert (await one.event("finished"))["error"] is None
        assert engine.row(session).running is None
        tracked = (await one.ask(do="state", session=session))["state"]["objects"][0]["tracked"][-1][-1]
        assert tracked < 30
        await one.ask(do="propagate", session=session, name="r", start=tracked, direction="backward")
        await one.more(session, 100)
        await one.event("frame")
        assert (await one.ask(do="act", session=session, kind="undo", name="u"))["undone"]["kind"] == "propagate"
        await one.event("finished")

    run(engine, talk)


def test_a_propagation_goes_on_where_the_session_is_opened_again(engine: MadeEngine):
    session = engine.session(frames=30)

    async def talk(one: Client, *_: Any) -> None:
        await one.ask(**opening(engine, session))
        await one.ask(session=session, **click())
        await one.ask(do="propagate", session=session, name="p", start=0)
        for _ in range(8):
            await one.event("frame")
        await one.ask(do="close", session=session)

    run(engine, talk)
    done = saved(engine, session).tag["running"]["frame"]
    assert 7 <= done <= 12

    async def later(one: Client, *_: Any) -> None:
        opened = await one.ask(**opening(engine, session))
        assert opened["state"]["running"] is not None
        await one.more(session, 100)
        frames = []
        for _ in range(done + 1, 30):
            frames.append((await one.event("frame"))["frame"])
            await one.more(session)
        assert frames == [*range(done + 1, 30)]
        await one.event("finished")
        assert (await one.ask(do="propagate", session=session, name="p"))["ok"]  # that was it
        assert (await one.ask(do="state", session=session))["state"]["running"] is None

    run(engine, later)
    plain = VideoSession(FrameSource(FramePack(next(engine.workspace.root.glob("videos/*")))), load(engine.model))
    plain.prompt(0, 1, points=[DISC])
    wanted = {r.frame: r[1].rle() for r in plain.propagate()}
    assert {t: dict(s.rle) for t, s in saved(engine, session).tracks[1].shown.items()} == wanted


def test_phases_are_kept_to(engine: MadeEngine):
    session = engine.session(phase=1)

    async def talk(one: Client, *_: Any) -> None:
        await one.ask(**opening(engine, session))
        assert (await one.ask(session=session, **click()))["mask"]["prompted"]
        refused = await one.ask(do="propagate", session=session, name="p")
        assert "by hand" in refused["error"]
        assert (await one.ask(do="state", session=session))["state"]["running"] is None

    run(engine, talk)


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_an_object_is_said_to_be_absent_in_every_phase(engine: MadeEngine, phase: Phase):
    session = engine.session(phase)

    async def talk(one: Client, *_: Any) -> None:
        await one.ask(**opening(engine, session))
        absent = {"do": "act", "session": session, "kind": "absent", "name": "a", "object": 1, "frame": 2, "last": 4}
        reply = await one.ask(**absent)
        assert (reply["mask"]["area"], reply["mask"]["box"], reply["mask"]["frame"]) == (0, None, 2)
        await one.ask(session=session, **click(name="b"))
        if phase > 1:
            await one.ask(do="propagate", session=session, name="p", start=0, stop=6)
            areas = {}
            for t in range(7):
                areas[t] = (await one.event("frame"))["masks"][0]["area"]
                await one.more(session)
            assert [t for t in areas if not areas[t]] == [2, 3, 4]
            await one.event("finished")
        (target,) = (await one.ask(do="state", session=session))["state"]["objects"]
        assert target["said_absent"] == [[2, 4]]
        assert [2, 4] in target["absent"]
        (masks,) = (await one.ask(do="collect", session=session, every=2))["masklets"].values()
        assert [(m["frame"], m["prompted"]) for m in masks if not m["area"]] == [(2, False), (4, False)]
        for kind, said in (("undo", [[2, 4]]), ("present", [[2, 2], [4, 4]])):
            await one.ask(do="act", session=session, kind=kind, name=kind, object=1, frame=3)
            (target,) = (await one.ask(do="state", session=session))["state"]["objects"]
            assert target["said_absent"] == said

    run(engine, talk)


def test_who_asks_what_makes_no_sense_is_told(engine: MadeEngine):
    session = engine.session()

    async def talk(one: Client, worker: ModelWorker, address: str) -> None:
        assert (await one.ask(session=session, **click()))["kind"] == "closed"
        assert (await one.ask(**{**opening(engine, session), "epoch": 77}))["kind"] == "moved"
        assert (await one.ask(**{**opening(engine, session), "key": "../../x"}))["kind"] == "refused"
        assert (await one.ask(**{**opening(engine, session), "pack": "0" * 32}))["kind"] == "failed"
        broken = engine.workspace.pack("1" * 32)
        broken.write_bytes(b"?")
        reply = await one.ask(**{**opening(engine, session), "pack": "1" * 32})
        assert "is no frame pack" in reply["error"]
        assert str(engine.workspace.root) not in reply["error"]
        assert (await one.ask(**{**opening(engine, session), "model": "no such model"}))["kind"] == "refused"
        assert (await one.ask(**opening(engine, session)))["ok"]
        for wrong in (
            {"do": "_do"},
            {"do": None},
            {"do": "act"},
            {"do": "act", "name": 5, "kind": "undo"},
            {"do": "act", "name": "x", "kind": ["prompt"]},
            {"do": "propagate", "name": "x"},
            {"do": "propagate", "name": "x", "direction": "up"},
            {"do": "masks", "first": -1},
            {"do": "masks", "count": 10**9},
            {"do": "scores", "object": 99},
            {"do": "suggest", "k": 0},
            {"do": "collect", "every": 0},
            {"do": "look", "frame": "x"},
        ):
            reply = await one.ask(**{"session": session, **wrong})
            assert (reply["ok"], reply["kind"]) in ((False, "refused"), (False, "not_found")), wrong
            assert reply["error"]
        assert (await one.ask(do="act", session="x", name="x", kind="undo"))["kind"] == "refused"
        with pytest.raises(InvalidStatus, match="401"):
            async with client(address, "wrong"):
                pass
        async with client(address) as other:
            await other.connection.send("[1]")
            await other.connection.wait_closed()
            assert other.connection.close_code == 1007
        assert (await one.ask(session=session, **click()))["ok"]

    run(engine, talk)


def test_the_session_used_longest_ago_makes_room(engine: MadeEngine):
    sessions = [engine.session() for _ in range(3)]

    async def talk(one: Client, *_: Any) -> None:
        for i in sessions[:2]:
            await one.ask(**opening(engine, i))
            await one.ask(session=i, **click())
        await one.ask(do="state", session=sessions[0])
        await one.ask(**opening(engine, sessions[2]))
        assert (await one.event("closed"))["session"] == sessions[1]
        assert (await one.ask(do="state", session=sessions[0]))["ok"]
        assert (await one.ask(do="state", session=sessions[1]))["kind"] == "closed"
        reply = await one.ask(**opening(engine, sessions[1]))
        assert reply["state"]["objects"][0]["prompted"] == [0]

    run(engine, talk, most_sessions=2)


def test_undo_reaches_beyond_an_idle_close(engine: MadeEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("masklet.data_engine.model_worker.BEAT", 0.05)
    session = engine.session()

    async def talk(one: Client, *_: Any) -> None:
        async def act(kind: str, name: str) -> dict[str, Any]:
            return await one.ask(do="act", session=session, kind=kind, name=name)

        async def idle() -> dict[str, Any]:
            assert (await one.event("closed"))["why"] == "idle"
            return (await one.ask(**opening(engine, session)))["state"]

        await one.ask(**opening(engine, session))
        await one.ask(session=session, **click())
        await one.ask(session=session, **click(SQUARE, "b", frame=3))
        await act("undo", "u")
        state = await idle()
        assert (state["undo"]["frame"], state["redo"]["frame"]) == (0, 3)
        assert (await act("redo", "r"))["undone"]["frame"] == 3
        state = await idle()
        assert (state["undo"]["frame"], state["redo"]) == (3, None)
        assert (await act("undo", "v"))["undone"]["frame"] == 3
        assert (await act("undo", "w"))["undone"]["frame"] == 0
        assert [*saved(engine, session).tracks] == []
        assert (await act("undo", "x"))["kind"] == "refused"
        assert (await act("undo", "w"))["undone"]["frame"] == 0  # sent again: what it did is said again

    run(engine, talk, idle=0.3)


def test_a_session_that_was_given_to_another_worker_is_closed(engine: MadeEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("masklet.data_engine.model_worker.BEAT", 0.05)
    session = engine.session()

    async def talk(one: Client, *_: Any) -> None:
        await one.ask(**opening(engine, session))
        request = opening(engine, session)
        give_to(engine, session, "other")
        assert (await one.event("closed"))["why"] == "moved"
        assert (await one.ask(**request))["kind"] == "moved"

    run(engine, talk)


def test_a_session_is_written_by_one_worker_only(engine: MadeEngine, monkeypatch: pytest.MonkeyPatch):
    session = engine.session()

    async def talk(one: Client, worker: ModelWorker, address: str) -> None:
        await one.ask(**opening(engine, session))
        other = ModelWorker(engine.workspace, engine.database, "other", "token", load)
        async with serving(engine, other) as there, client(there) as second:
            give_to(engine, session, "other")
            number = await second.send(**opening(engine, session))  # waits: the first one still has it
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(second.reply(number), 0.3)
            await one.ask(do="close", session=session)
            assert (await second.reply(number))["ok"]

    run(engine, talk)
