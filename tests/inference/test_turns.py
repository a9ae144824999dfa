from __future__ import annotations

import random
import signal
import time
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from masklet.inference.session import VideoSession
from masklet.inference.turns import Turns
from masklet.model.sam2 import Sam2
from tiny_model import DISC, SQUARE, clip

pytestmark = pytest.mark.usefixtures("as_user")


def started(*targets) -> list[Thread]:
    threads = [Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def joined(threads: list[Thread]) -> None:
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("waited in vain")


def test_who_came_first_is_first():
    """A thread that lets go and asks again is behind those that waited, which it is not with Python's locks."""
    turns, order, threads = Turns(), [], []

    def come(name: int) -> None:
        with turns:
            order.append(name)

    with turns:
        for name in range(5):
            threads += started(lambda name=name: come(name))
            until(lambda name=name: len(turns._waiting) == name + 1)
    with turns:
        order.append("again")
    joined(threads)
    assert order == [0, 1, 2, 3, 4, "again"]


def test_a_turn_may_be_taken_again_within_it():
    turns, order = Turns(), []

    def come() -> None:
        with turns:
            order.append("other")

    with turns:
        with turns:
            threads = started(come)
            until(lambda: turns._waiting)
        order.append("first")
    joined(threads)
    assert order == ["first", "other"]


def test_one_at_a_time():
    turns, inside, most = Turns(), 0, 0

    def come() -> None:
        nonlocal inside, most
        for _ in range(200):
            with turns:
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    joined(started(*[come] * 4))
    assert (inside, most) == (0, 1)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_an_interrupted_wait_leaves_the_queue():
    turns, release = Turns(), Event()

    def hold() -> None:
        with turns:
            release.wait(30)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    threads, before = started(hold), signal.signal(signal.SIGALRM, interrupt)
    try:
        until(lambda: turns._owner is not None)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt), turns:
            raise AssertionError("not our turn")
    finally:
        signal.signal(signal.SIGALRM, before)
        release.set()
    joined(threads)
    with turns:
        pass
    assert turns._owner is None


def test_an_error_ends_the_turn(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny)
    with pytest.raises(IndexError):
        session.prompt(99, 1, points=[DISC])
    joined(started(lambda: session.prompt(0, 1, points=[DISC])))
    assert session.objects == [1]


def test_threads_that_share_a_session_are_one_thread(tiny: Sam2):
    """One tracks, one prompts, one looks: the masks are those of the same actions in their order in one thread."""
    video, points = clip(20), [DISC, SQUARE, (8, 40), (60, 8)]
    shared = VideoSession(video, tiny)
    shared.prompt(0, 1, points=[DISC])
    tracked, prompted, errors = [], [], []
    begun, inserted, done = Event(), Event(), Event()

    def guarded(action) -> None:
        try:
            action()
        except BaseException as error:  # whatever it is fails the test
            errors.append(error)
            raise
        finally:
            done.set()
            begun.set()
            inserted.set()

    def track() -> None:
        for result in shared.propagate():
            tracked.append(result)
            begun.set()
            assert inserted.wait(30)  # at least one prompt comes between two frames

    def prompt() -> None:
        chance = random.Random(0)
        begun.wait(30)
        while len(prompted) < 25 and not (done.is_set() and prompted):
            t, i = chance.randrange(20), chance.randrange(1, 4)
            prompted.append(shared.prompt(t, i, points=[points[chance.randrange(4)]]))
            inserted.set()

    def look() -> None:
        while not done.is_set():
            shared.frame_result(0).label_map()
            assert shared.history[0].kind == "prompt"

    joined(started(*[lambda action=action: guarded(action) for action in (track, prompt, look)]))
    assert not errors
    alone, again, answers = VideoSession(video, tiny), [], []
    events: Any = shared.history
    assert [event.kind for event in events[:3]] == ["prompt", "propagate", "prompt"]
    run = None
    for event in events:
        if event.kind == "prompt":
            given = event.given
            answers.append(alone.prompt(event.frame, event.object_id, points=given.points, labels=given.labels))
        else:
            run = run or alone.propagate()
            again += [next(run) for _ in range(event.frame, event.last + 1)]
    assert len(again) == len(tracked) == 20
    for one, other in zip(tracked, again, strict=True):
        assert one.frame == other.frame
        assert [*one] == [*other]
        assert all(np.array_equal(one[i].logits, other[i].logits) for i in one)
    assert all(np.array_equal(a.logits, b.logits) for a, b in zip(prompted, answers[1:], strict=True))
