from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from masklet.inference.run import frames_in_order
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from tiny_model import DISC

pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture
def session(tiny: Sam2, frames: list[np.ndarray]) -> VideoSession:
    session = VideoSession(frames, tiny)
    session.prompt(0, 1, points=[DISC])
    return session


@pytest.mark.parametrize("how", ["cancel", "cancel elsewhere", "close"])
def test_what_was_tracked_before_a_stop_stays_and_is_one_action(session: VideoSession, how: str):
    run = session.propagate()
    shown = [next(run) for _ in range(4)]
    if how == "close":
        run.close()
    elif how == "cancel":
        run.cancel()
    else:
        thread = Thread(target=run.cancel)
        thread.start()
        thread.join()
    assert list(run) == []
    assert [(event.kind, event.frame, event.last) for event in session.history] == [
        ("prompt", 0, None),
        ("propagate", 0, 3),
    ]
    assert all(np.array_equal(session.frame_result(r.frame)[1].mask, r[1].mask) for r in shown)
    assert not session.frame_result(4)
    session.undo()
    assert not session.frame_result(3)
    assert [r.frame for r in session.propagate()] == list(range(10))


def test_cancelled_before_its_first_frame_nothing_is_tracked(session: VideoSession):
    run = session.propagate()
    run.cancel()
    assert list(run) == []
    assert [event.kind for event in session.history] == ["prompt"]


def test_a_stop_may_come_from_within_a_loop(session: VideoSession):
    run, seen = session.propagate(direction="both", start=2), []
    for result in run:
        seen.append(result.frame)
        if result.frame == 5:
            run.cancel()
    assert seen == [2, 3, 4, 5]


def test_order():
    assert list(frames_in_order(6, 2, None, "forward")) == [(2, False), (3, False), (4, False), (5, False)]
    assert list(frames_in_order(6, 2, None, "backward")) == [(2, True), (1, True), (0, True)]
    assert list(frames_in_order(6, 4, None, "both")) == [(4, False), (5, False), *((t, True) for t in (3, 2, 1, 0))]
    assert list(frames_in_order(6, 4, 2, "backward")) == [(4, True), (3, True), (2, True)]
    endless = frames_in_order(None, 3, None, "forward")
    assert [next(endless)[0] for _ in range(3)] == [3, 4, 5]
