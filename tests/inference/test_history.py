"""What was undone was never done: to the last bit, in whatever order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from masklet.inference.history import Event
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from session_scripts import ACTIONS, ALONE, FRAMES, Action, seen, state
from tiny_model import DISC, SQUARE, clip, disc

pytestmark = pytest.mark.usefixtures("as_user")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS, st.integers(0, 6), st.integers(0, FRAMES - 1))
def test_undone_is_never_done(tiny: Sam2, frames: list[np.ndarray], actions: list[Action], kept: int, last: int):
    session = VideoSession(frames[:FRAMES], tiny, options=ALONE)
    known = [state(session)]
    counts = [0]
    for action in actions:
        action(session)
        known.append(state(session))
        counts.append(len(session.history))
    after = list(zip(counts, known, strict=True))
    kept = min(kept, len(actions))
    while len(session.history) > counts[kept]:
        session.undo()
        here = [s for count, s in after if count == len(session.history)]
        assert not here or here[0] == state(session)
    assert state(session) == known[kept]

    other = VideoSession(frames[:FRAMES], tiny, options=ALONE)
    for action in actions[:kept]:
        action(other)
    assert state(other) == state(session)

    while len(session.history) < counts[-1]:
        session.redo()
    assert state(session) == known[-1]
    while session.history:
        session.undo()
    assert state(session) == known[0] == ()
    for one in (session, other):
        one.prompt(last, 1, points=[DISC])
    if kept == 0:
        assert state(session) == state(other)


def masks(session: VideoSession, start: int = 0) -> list[bytes]:
    return [seen(one) for result in session.propagate(start=start) for one in result.values()]


@pytest.fixture
def session(tiny: Sam2, frames: list[np.ndarray]) -> VideoSession:
    return VideoSession(frames, tiny, options=ALONE)


def test_actions_have_names(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    session.prompt(0, 2, points=[SQUARE])
    list(session.propagate(stop=4))
    list(session.propagate(start=3, stop=1, direction="backward"))
    session.clear(0, 2)
    session.remove(2)
    session.reset()
    assert [(e.kind, e.object_id, e.frame, e.last, e.reverse) for e in session.history] == [
        ("prompt", 1, 0, None, False),
        ("prompt", 2, 0, None, False),
        ("propagate", None, 0, 4, False),
        ("propagate", None, 3, 1, True),
        ("clear", 2, 0, None, False),
        ("remove", 2, None, None, False),
        ("reset", None, None, None, False),
    ]
    assert session.history[0].given is not None
    assert session.history[0].given.points.tolist() == [list(DISC)]
    assert session.undo().kind == "reset"
    assert session.undo() == Event("remove", 2)
    assert session.objects == [1, 2]


def test_a_prompt_between_frames_divides_a_propagation(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    for result in session.propagate(stop=5):
        if result.frame == 2:
            session.prompt(2, 2, points=[SQUARE])
    assert [(e.kind, e.frame, e.last) for e in session.history] == [
        ("prompt", 0, None),
        ("propagate", 0, 2),
        ("prompt", 2, None),
        ("propagate", 3, 5),
    ]


def test_undo_ends_a_propagation(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    session.prompt(0, 1, points=[SQUARE], labels=[0])
    going = session.propagate()
    next(going)
    next(going)
    assert session.undo().kind == "propagate"
    with pytest.raises(RuntimeError, match=r"changed by undo, redo or another run since: call propagate\(\) again"):
        next(going)
    assert session.redo().last == 1
    assert next(session.propagate(start=2)).frame == 2


def test_a_failed_action_leaves_nothing(tiny: Sam2):
    small = np.zeros((96, 144), bool)
    small[0, 0] = True
    session = VideoSession(clip(3, 96, 144), tiny)
    session.prompt(0, 1, mask=disc(0, 96, 144))
    list(session.propagate())
    before = state(session)
    with pytest.raises(ValueError, match="larger image_size"):
        session.prompt(1, 1, mask=small)
    assert state(session) == before
    assert len(session.history) == 2


def test_nothing_to_undo_or_redo(session: VideoSession):
    with pytest.raises(ValueError, match="nothing to undo"):
        session.undo()
    session.prompt(0, 1, points=[DISC])
    session.undo()
    session.prompt(0, 1, points=[DISC])
    with pytest.raises(ValueError, match="nothing to do again"):
        session.redo()


def test_live_steps_are_one_action(tiny: Sam2, frames: list[np.ndarray]):
    live = VideoSession(None, tiny)
    live.step(frames[0])
    live.prompt(0, 1, points=[DISC])
    before = state(live)
    for frame in frames[1:6]:
        live.step(frame)
    assert [(e.kind, e.frame, e.last) for e in live.history][1:] == [("prompt", 0, None), ("propagate", 1, 5)]
    live.undo()
    assert state(live) == before
    assert live.step(frames[6]).frame == 6


@pytest.mark.parametrize("options", [SessionOptions(undo_levels=3), SessionOptions(undo_mb=0.0)])
def test_history_is_bounded(tiny: Sam2, frames: list[np.ndarray], options: SessionOptions):
    session = VideoSession(frames, tiny, options=options)
    session.prompt(0, 1, points=[DISC])
    for _ in range(4):
        list(session.propagate())
    assert len(session.history) == 3 if options.undo_levels == 3 else len(session.history) <= 2
    while session.history:
        session.undo()
    with pytest.raises(ValueError, match="nothing to undo"):
        session.undo()


def test_results_after_undo(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    first = masks(session)
    session.prompt(4, 1, points=[SQUARE], labels=[0])
    assert masks(session) != first
    session.undo()
    session.undo()
    assert masks(session) == first


def test_masks_of_all_frames_are_kept_and_undone(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    first = {r.frame: r[1].mask for r in session.propagate()}
    assert len(first) == 10
    session.prompt(4, 1, points=[SQUARE], labels=[0])
    second = {r.frame: r[1].mask for r in session.propagate(start=4)}
    assert any(not np.array_equal(first[t], second[t]) for t in second)
    for t in range(10):
        assert np.array_equal(session.frame_result(t)[1].mask, second.get(t, first[t]))
    session.undo()
    session.undo()
    for t in range(10):
        assert np.array_equal(session.frame_result(t)[1].mask, first[t])
    session.redo()
    assert session.frame_result(4)[1].prompted
