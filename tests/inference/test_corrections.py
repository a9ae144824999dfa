"""What a correction lets the frames beside it read, and what becomes of their masks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklet.inference.corrections import Correction, readable
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.model.memory_bank import Readable
from masklet.model.sam2 import Sam2
from tiny_model import DISC, SQUARE

pytestmark = pytest.mark.usefixtures("as_user")
FOREVER = (-math.inf, math.inf)


def test_what_may_be_read_beside_corrections():
    corrections: dict[int, Correction] = {3: "barrier", 6: "override", 8: "blend"}
    assert readable(1, corrections) == Readable((-math.inf, 3), (-math.inf, 3))
    assert readable(3, corrections) == Readable(FOREVER, (-math.inf, 6))
    assert readable(4, corrections) == Readable((3, math.inf), (3, 6))
    assert readable(7, corrections) == readable(9, corrections) == Readable((3, math.inf), (6, math.inf))
    assert readable(5, {}) == Readable()


def test_what_may_be_read_beside_cuts():
    cuts = {4, 7}
    assert readable(3, {}, cuts) == Readable(FOREVER, (-math.inf, 3))
    assert readable(4, {}, cuts) == readable(6, {}, cuts) == Readable(FOREVER, (4, 6))
    assert readable(9, {}, cuts) == Readable(FOREVER, (7, math.inf))
    assert readable(5, {5: "override", 6: "barrier"}, cuts) == Readable((-math.inf, 6), (4, 6))
    assert readable(6, {5: "override"}, cuts) == Readable(FOREVER, (5, 6))


def masks(session: VideoSession, **where: Any) -> dict[int, bytes]:
    return {r.frame: r[1].logits.tobytes() for r in session.propagate(**where)}


def corrected(model: Sam2, frames: list[np.ndarray], **how: Any) -> VideoSession:
    """Prompted on frame 0, tracked, and corrected on frame 4."""
    session = VideoSession(frames, model)
    session.prompt(0, 1, points=[DISC])
    list(session.propagate())
    session.prompt(4, 1, points=[SQUARE], labels=[0], **how)
    return session


def read(session: VideoSession, t: int) -> tuple[list[int], list[int]]:
    """Frames whose prompted maps and whose other maps a frame reads."""
    track = session.tracks[1]
    frame_of = {id(entry): f for table in (track.bank.recent, track.bank.prompted) for f, entry in table.items()}
    maps = track.read(t, reverse=False).maps
    return [frame_of[id(e)] for slot, e in maps if slot == -1], [frame_of[id(e)] for slot, e in maps if slot != -1]


@pytest.mark.parametrize(
    ("correction", "prompted", "others"),
    [("blend", [0, 4], [1, 2, 3, 5]), ("override", [0, 4], [5]), ("barrier", [4], [5])],
)
def test_frames_after_a_correction(
    tiny: Sam2, frames: list[np.ndarray], correction: str, prompted: list[int], others: list[int]
):
    session = corrected(tiny, frames, correction=correction)
    list(session.propagate(start=4, stop=5))
    found = read(session, 6)
    assert found[0] == prompted
    assert found[1] == [f for f in others if f >= 0]
    session.undo()
    session.undo()
    assert not session.tracks[1].corrections


def test_nothing_before_a_barrier_changes_what_follows(tiny: Sam2, frames: list[np.ndarray]):
    session = corrected(tiny, frames, correction="barrier")
    first = masks(session)
    session.prompt(1, 1, points=[SQUARE], labels=[0])
    second = masks(session)
    assert all(second[t] == first[t] for t in range(4, 10))
    assert any(second[t] != first[t] for t in range(1, 4))


@pytest.mark.parametrize("correction", ["blend", "override", "barrier"])
def test_the_corrected_frame_keeps_the_mask_that_was_seen(tiny: Sam2, frames: list[np.ndarray], correction: str):
    session = corrected(tiny, frames, correction=correction)
    seen = session.frame_result(4)[1].logits.tobytes()
    for where in ({}, {"start": 4}, {"start": 9, "direction": "backward"}):
        assert masks(session, **where)[4] == seen


def test_corrections_differ_and_options_say_which(tiny: Sam2, frames: list[np.ndarray]):
    found = {c: masks(corrected(tiny, frames, correction=c), start=4) for c in ("blend", "override", "barrier")}
    assert len({each[6] for each in found.values()}) == 3
    session = VideoSession(frames, tiny, options=SessionOptions(correction="override"))
    session.prompt(0, 1, points=[DISC])
    list(session.propagate())
    session.prompt(4, 1, points=[SQUARE], labels=[0])
    assert masks(session, start=4) == found["override"]


def test_first_prompts_are_no_corrections(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny, options=SessionOptions(correction="barrier"))
    session.prompt(0, 1, points=[DISC])
    session.prompt(5, 1, points=[DISC])
    list(session.propagate())
    assert not session.tracks[1].corrections


def test_a_cleared_correction_holds_nothing_back(tiny: Sam2, frames: list[np.ndarray]):
    session = corrected(tiny, frames, correction="barrier")
    session.clear(4, 1)
    assert not session.tracks[1].corrections


def test_corrections_are_saved(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path):
    session = corrected(tiny, frames, correction="barrier")
    session.save(tmp_path / "session")
    again = VideoSession.load(tmp_path / "session", frames, tiny)
    assert again.tracks[1].corrections == {4: "barrier"}
    assert masks(again, start=4) == masks(session, start=4)


def test_an_unknown_correction_is_named(tiny: Sam2, frames: list[np.ndarray]):
    with pytest.raises(ValueError, match="a correction is one of blend, override, barrier, got 'replace'"):
        corrected(tiny, frames, correction="replace")


def test_recent_memory_begins_anew_at_a_cut(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path):
    """Frame 5 begins another scene, of inverted colours."""
    cut = [*frames[:5], *(255 - frame for frame in frames[5:])]
    options = SessionOptions(scene_cuts=True)
    session = VideoSession(cut, tiny, options=options)
    session.prompt(0, 1, points=[DISC])
    forward = masks(session)
    assert [read(session, t) for t in (4, 5, 6)] == [([0], [1, 2, 3]), ([0], []), ([0], [5])]

    live = VideoSession(None, tiny, options=options)
    live.step(cut[0])
    live.prompt(0, 1, points=[DISC])
    assert {t: forward[t] for t in range(1, len(cut))} == {
        live.step(frame).frame: live.frame_result(live.source.length - 1)[1].logits.tobytes() for frame in cut[1:]
    }

    ignored = VideoSession(cut, tiny)
    ignored.prompt(0, 1, points=[DISC])
    other = masks(ignored)
    assert [t for t in forward if forward[t] != other[t]] == list(range(5, len(cut)))

    session.save(tmp_path / "session")
    again = VideoSession.load(tmp_path / "session", cut, tiny)
    for one in (session, again):
        one.prompt(7, 1, points=[DISC])
    assert masks(again, start=5) == masks(session, start=5)


def test_a_cut_counts_backward_too(tiny: Sam2, frames: list[np.ndarray]):
    cut = [*frames[:5], *(255 - frame for frame in frames[5:])]
    session = VideoSession(cut, tiny, options=SessionOptions(scene_cuts=True))
    session.prompt(8, 1, points=[DISC])
    masks(session, direction="backward")
    track = session.tracks[1]
    assert track.cuts == {5}
    assert [[slot for slot, _ in track.read(t, reverse=True).maps] for t in (5, 4, 3)] == [[-1, 1, 0], [-1], [-1, 0]]


def test_cuts_of_a_stream_are_found_to_its_end(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(iter(frames), tiny, options=SessionOptions(scene_cuts=True))
    session.prompt(0, 1, points=[DISC])
    assert [result.frame for result in session.propagate()] == list(range(len(frames)))
