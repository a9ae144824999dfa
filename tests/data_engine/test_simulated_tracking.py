"""The simulated annotator's protocol, on a session that is played by a few lines and answers with discs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklet.data.frames import stated_frames
from masklet.data.records import AnnotatedVideo
from masklet.data.truths import ObjectMasks
from masklet.data_engine.live_client import Reply
from masklet.data_engine.simulated_tracking import Behaviour, Tracking
from masklet.masks import rle

SIZE, FRAMES = (40, 60), 10


def _disc(t: int, radius: float = 9.0) -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return (x - 12 - 3 * t) ** 2 + (y - 20) ** 2 < radius**2


def _truth(absent: tuple[int, ...] = ()) -> AnnotatedVideo:
    masks = {t: {5: (lambda t=t: _disc(t))} if t not in absent else {} for t in range(FRAMES)}
    where = Path("made")
    return AnnotatedVideo("walk", stated_frames(where, FRAMES, SIZE), ObjectMasks(where, lambda: masks))


@dataclass
class _Session:
    """Answers the first click on a frame with a small disc, further ones with the truth; tracking drifts."""

    drift: int = 4  # frames after which what was propagated is wrong
    silent: bool = False  # whether the end of propagations goes unheard
    actions: list[dict[str, Any]] = field(default_factory=list)
    known: dict[int, np.ndarray] = field(default_factory=dict)
    events: asyncio.Queue = field(default_factory=asyncio.Queue)
    clicks: dict[int, int] = field(default_factory=dict)

    async def act(self, kind: str, *, seconds: float = 0.0, **body: Any) -> Reply:
        self.actions.append({"kind": kind, "seconds": seconds, **body})
        name = str(len(self.actions))
        if kind == "prompt":
            t = body["frame"]
            self.clicks[t] = 1 if body.get("clear") else self.clicks.get(t, 0) + 1
            self.known[t] = _disc(t, 7.0 if self.clicks[t] == 1 else 9.0)
            return Reply(1, kind, name, {"mask": self._json(t)}, 0.0)
        if kind == "absent":
            self.known[body["frame"]] = np.zeros(SIZE, bool)
        if kind == "propagate":
            for t in range(body["start"], FRAMES):
                self.known[t] = _disc(t if t - body["start"] < self.drift else t - 3)
                if t > body["start"]:
                    self.events.put_nowait({"event": "frame", "frame": t, "masks": [self._json(t)]})
            if not self.silent:
                self.events.put_nowait({"event": "finished", "name": name, "frames": FRAMES, "error": None})
        return Reply(1, kind, name, {}, 0.0)

    async def masks(self, first: int, count: int) -> list[dict[str, Any]]:
        return [self._json(t) for t in sorted(self.known) if first <= t < first + count]

    async def tracking(self) -> bool:
        return False

    def _json(self, t: int) -> dict[str, Any]:
        return {"object": 1, "frame": t, "counts": rle.encode(self.known[t])["counts"]}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.actions if one["kind"] == kind]


def _annotate(session: _Session, phase: int, truth: AnnotatedVideo, every: int = 1, **behaviour: Any) -> None:
    tracking = Tracking(session, truth, {5: 1}, phase, every, Behaviour(**behaviour))
    asyncio.run(tracking.annotate())


def test_phase_1_clicks_on_every_frame_from_nothing():
    session = _Session()
    _annotate(session, 1, _truth(absent=(4,)))
    assert not session.of("propagate")
    prompts = session.of("prompt")
    assert [one["frame"] for one in prompts] == [t for t in range(FRAMES) if t != 4 for _ in range(2)]
    assert [one.get("clear", False) for one in prompts] == [True, False] * 9
    assert sum(one["seconds"] for one in session.actions) == pytest.approx(9 * (1 + 2 * 1.5))


@pytest.mark.parametrize("phase", [2, 3])
def test_later_phases_stop_where_tracking_fails(phase):
    session = _Session()
    _annotate(session, phase, _truth())
    assert [one["start"] for one in session.of("propagate")] == [0, 4, 8]
    prompts = session.of("prompt")
    assert [one["frame"] for one in prompts if one["seconds"] > 2] == [0, 4, 8]
    assert any(one.get("clear") for one in prompts) == (phase == 2)
    seconds = 3 * 1 + len(prompts) * 1.5 + FRAMES / 10
    assert sum(one["seconds"] for one in session.actions) == pytest.approx(seconds)


def test_phase_3_corrects_what_is_shown():
    session = _Session()
    _annotate(session, 3, _truth())
    first = next(one for one in session.of("prompt") if one["frame"] == 4)
    x, y = first["points"][0]
    shown, truth = _disc(1), _disc(4)
    assert (shown ^ truth)[round(y), round(x)]


def test_clicks_on_a_frame_are_bounded():
    session = _Session()
    _annotate(session, 1, _truth(), wanted=1.1, most_clicks=3)
    assert len(session.of("prompt")) == 3 * FRAMES


def test_only_annotated_frames_are_looked_at():
    session = _Session(drift=1)
    _annotate(session, 3, _truth(), every=4)
    assert {one["frame"] for one in session.of("prompt")} == {0, 4, 8}
    assert session.of("propagate")[0]["seconds"] == pytest.approx(0.3)


def test_what_is_good_already_is_left():
    session = _Session(known={t: _disc(t) for t in range(FRAMES)})
    _annotate(session, 3, _truth())
    assert session.actions == []


def test_what_was_selected_only_is_tracked():
    session = _Session(known={0: _disc(0)})
    _annotate(session, 3, _truth())
    assert [one["start"] for one in session.of("propagate")] == [0, 4, 8]
    assert {one["frame"] for one in session.of("prompt")} == {4, 8}


def test_an_end_that_was_not_heard_is_noticed(monkeypatch):
    monkeypatch.setattr("masklet.data_engine.simulated_tracking._SILENCE", 0.01)
    session = _Session(silent=True)
    _annotate(session, 3, _truth())
    assert [one["start"] for one in session.of("propagate")] == [0, 4, 8]


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_where_a_mask_is_shown_and_nothing_is_there_the_object_is_said_to_be_absent(phase):
    session = _Session(known={t: _disc(t) for t in range(FRAMES)})
    _annotate(session, phase, _truth(absent=(4,)))
    (absent,) = session.of("absent")
    assert (absent["frame"], absent["object"], absent["seconds"]) == (4, 1, 2.5)
    assert [one["start"] for one in session.of("propagate")] == ([] if phase == 1 else [4, 8])


@pytest.mark.parametrize("turns", range(5))
def test_who_is_called_off_while_an_event_comes_stops(turns):
    async def call_off() -> None:
        session = _Session()
        job = asyncio.create_task(Tracking(session, _truth(), {5: 1}, 3, 1, Behaviour())._hear())
        await asyncio.sleep(0.01)
        session.events.put_nowait({"event": "frame", "frame": 0, "masks": []})
        for _ in range(turns):
            await asyncio.sleep(0)
        if job.cancel():  # else it had ended
            with pytest.raises(asyncio.CancelledError):
                await job

    asyncio.run(call_off())
