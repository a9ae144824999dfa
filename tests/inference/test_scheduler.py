from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from masklet.inference import scheduler as scheduling
from masklet.inference.job import Job
from masklet.inference.results import FrameResult
from masklet.inference.scheduler import Scheduler
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from masklet.video.reader import FrameUnreadable
from tiny_model import DISC, SQUARE

pytestmark = pytest.mark.usefixtures("as_user")  # shapes are checked elsewhere; to check them here trebles the time
WAIT = 60  # seconds after which something hangs


def opened(tiny: Sam2, frames: list[np.ndarray], count: int, prompted: bool = True) -> list[VideoSession]:
    sessions = [VideoSession(frames, tiny) for _ in range(count)]
    for session in sessions if prompted else ():
        session.prompt(0, 1, points=[DISC])
    return sessions


@contextmanager
def held(scheduler: Scheduler, session: VideoSession) -> Iterator[Event]:
    """Keep the scheduler's only thread busy while more is submitted."""
    begun, release = Event(), Event()

    def wait(_: VideoSession) -> None:
        begun.set()
        assert release.wait(WAIT)

    scheduler.submit(session, wait)
    assert begun.wait(WAIT)
    try:
        yield release
    finally:
        release.set()


def logits(results: list[FrameResult]) -> dict[tuple[int, int], np.ndarray]:
    return {(r.frame, i): one.logits for r in results for i, one in r.items()}


def same(one: dict[Any, np.ndarray], other: dict[Any, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def scheduler_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("masklet scheduler")]


# Under load


def work(number: int, prompt: Callable[..., Any], propagate: Callable[..., Any]) -> list[FrameResult]:
    """What one of many users does: three objects, tracking, a correction on the way, tracking again."""
    prompt(0, 1, points=[(DISC[0] + number - 4, DISC[1])])
    prompt(0, 2, points=[SQUARE])
    prompt(number % 3, 3, points=[(60 - 3 * number, 8 + number)])
    results = list(propagate(stop=3))
    prompt(2, 1, points=[(5 + number, 5)], labels=[0])
    return results + list(propagate(start=2, stop=5))


@pytest.fixture(scope="module")
def alone(tiny: Sam2, frames: list[np.ndarray]) -> list[dict]:
    sessions = opened(tiny, frames, 8, prompted=False)
    found = [logits(work(k, session.prompt, session.propagate)) for k, session in enumerate(sessions)]
    assert not same(found[0], found[1])
    return found


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_eight_users_at_once_see_what_each_alone_does(
    tiny: Sam2, frames: list[np.ndarray], alone: list[dict], threads: int | None
):
    """Without a scheduler (None), with one thread of it, and with several."""
    together, barrier = opened(tiny, frames, 8, prompted=False), Barrier(8)

    def user(number: int) -> list[FrameResult]:
        session = together[number]
        barrier.wait(WAIT)
        if threads is None:
            return work(number, session.prompt, session.propagate)

        def prompt(*args: Any, **kwargs: Any) -> Any:
            return scheduler.submit(session, VideoSession.prompt, *args, **kwargs).result(WAIT)

        return work(number, prompt, lambda **kwargs: scheduler.propagate(session, **kwargs))

    with Scheduler(threads or 1) as scheduler, ThreadPoolExecutor(8) as users:
        results = list(users.map(user, range(8)))
    for one, other in zip(results, alone, strict=True):
        assert same(logits(one), other)


# Who is next


def test_frames_of_sessions_take_turns(tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    """With frames of equal cost no session is ever more than one frame ahead."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(scheduling, "perf_counter", lambda: float(next(ticks)))
    sessions, order = opened(tiny, frames, 4), []
    with Scheduler() as scheduler, held(scheduler, sessions[0]):
        for k, session in enumerate(sessions):
            scheduler.propagate(session, on_frame=lambda _, k=k: order.append(k))
    assert len(order) == 40
    for n in range(len(order)):
        counts = [order[:n].count(k) for k in range(4)]
        assert max(counts) - min(counts) <= 1


def test_time_is_shared_and_not_frames(tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    """Who comes later, too, gets an equal share from then on, and neither makes up for the time before."""
    clock = 0.0
    monkeypatch.setattr(scheduling, "perf_counter", lambda: clock)
    dear, cheap, late = opened(tiny, frames, 3)
    order = []

    def track(session: VideoSession, cost: float, name: str) -> None:
        def on_frame(_: FrameResult) -> None:
            nonlocal clock
            clock += cost
            order.append(name)
            if len(order) == 6:
                track(late, 1.0, "late")

        jobs.append(scheduler.propagate(session, on_frame=on_frame))

    jobs: list[Job] = []
    with Scheduler() as scheduler:
        with held(scheduler, dear):
            track(dear, 3.0, "dear")
            track(cheap, 1.0, "cheap")
        assert [jobs[k].finished.result(WAIT) for k in range(3)] == [10, 10, 10]  # the last one comes on the way
    assert Counter(order[:6]) == Counter(dear=2, cheap=4)
    assert Counter(order[6:20]) == Counter(dear=2, cheap=6, late=6)


def test_clicks_go_ahead_of_frames(tiny: Sam2, frames: list[np.ndarray]):
    tracked, also, clicked = opened(tiny, frames, 3)
    order, clicks = [], []

    def on_frame(result: FrameResult) -> None:
        order.append(result.frame)
        if result.frame in (2, 5):
            clicks.append(scheduler.submit(clicked, click))

    def click(session: VideoSession) -> None:
        session.prompt(1, 2, points=[SQUARE])
        order.append("click")

    with Scheduler() as scheduler:
        with held(scheduler, tracked):
            jobs = [scheduler.propagate(session, on_frame=on_frame) for session in (tracked, also)]
            clicks.append(scheduler.submit(clicked, click))
        assert [job.finished.result(WAIT) for job in jobs] == [10, 10]
    assert order[0] == "click"
    asked = [k for k, what in enumerate(order) if what in (2, 5)]
    assert [order[k + 1] for k in asked] == ["click"] * 4


def test_clicks_of_one_user_do_not_hold_up_those_of_another(tiny: Sam2, frames: list[np.ndarray]):
    many, one = opened(tiny, frames, 2)
    order = []
    with Scheduler() as scheduler, held(scheduler, many):
        for k in range(5):
            scheduler.submit(many, lambda _, k=k: order.append(k))
        scheduler.submit(one, lambda _: order.append("one"))
    assert order.index("one") <= 1
    assert [what for what in order if what != "one"] == [0, 1, 2, 3, 4]


def test_a_click_comes_between_two_frames_of_its_own_session(tiny: Sam2, frames: list[np.ndarray]):
    """As it does in a loop over the frames of one thread, bit for bit."""
    session, alone = opened(tiny, frames, 2)

    def on_frame(result: FrameResult) -> None:
        results.append(result)
        if result.frame == 3:
            answers.append(scheduler.submit(session, VideoSession.prompt, 3, 2, points=[SQUARE]))

    results, answers, expected = [], [], []
    with Scheduler() as scheduler:
        scheduler.propagate(session, on_frame=on_frame).finished.result(WAIT)
    for result in alone.propagate():
        expected.append(result)
        if result.frame == 3:
            shown = alone.prompt(3, 2, points=[SQUARE])
    assert same(logits(results), logits(expected))
    assert np.array_equal(answers[0].result().logits, shown.logits)


def test_what_is_submitted_for_a_session_keeps_its_order(tiny: Sam2, frames: list[np.ndarray]):
    (session,) = opened(tiny, frames, 1, prompted=False)
    with Scheduler(threads=3) as scheduler:
        scheduler.submit(session, VideoSession.prompt, 2, 1, points=[DISC])
        first, second = scheduler.propagate(session, stop=5), scheduler.propagate(session, start=4)
        assert [r.frame for r in second] == [4, 5, 6, 7, 8, 9]  # the other one fits into its buffer
        assert [r.frame for r in first] == [2, 3, 4, 5]
        runs = [(event.frame, event.last) for event in session.history if event.kind == "propagate"]
        assert runs == [(2, 5), (4, 9)]
        with held(scheduler, session):
            nothing = scheduler.propagate(session)
            scheduler.submit(session, VideoSession.reset)
        assert list(nothing) == []


# Cancelled, failed, slow


def test_a_cancelled_job_tracks_no_further_frame(tiny: Sam2, frames: list[np.ndarray]):
    session, other = opened(tiny, frames, 2)
    jobs = {}

    def on_frame(result: FrameResult) -> None:
        if result.frame == 3:
            jobs["one"].cancel()

    with Scheduler() as scheduler:
        with held(scheduler, session):
            jobs["one"] = scheduler.propagate(session, on_frame=on_frame)
            going_on = scheduler.propagate(other)
        assert jobs["one"].finished.result(WAIT) == 4
        assert len(list(going_on)) == 10
    assert session.history[-1].last == 3
    assert session.frame_result(3)
    assert not session.frame_result(4)
    session.undo()
    assert [event.kind for event in session.history] == ["prompt"]


def test_jobs_that_wait_are_cancelled_at_once(tiny: Sam2, frames: list[np.ndarray]):
    """Before they are begun, behind another job, and while nobody reads."""
    (session,) = opened(tiny, frames, 1)
    with Scheduler() as scheduler:
        with held(scheduler, session):
            unbegun = scheduler.propagate(session)
            unbegun.cancel()
        assert unbegun.finished.result(WAIT) == 0
        assert list(unbegun) == []
        with scheduler.propagate(session, buffer=2) as unread, scheduler.propagate(session) as behind:
            behind.cancel()
            assert behind.finished.result(WAIT) == 0
            assert not unread.finished.done()
        assert unread.finished.result(WAIT) <= 2
        assert [r.frame for r in unread] == list(range(unread.finished.result()))
        session.undo()


def test_an_action_is_cancelled_by_its_future(tiny: Sam2, frames: list[np.ndarray]):
    (session,) = opened(tiny, frames, 1)
    with Scheduler() as scheduler:
        with held(scheduler, session):
            future = scheduler.submit(session, VideoSession.reset)
            assert future.cancel()
        assert len(list(scheduler.propagate(session))) == 10
    assert session.objects == [1]


def test_errors_reach_only_who_asked(tiny: Sam2, frames: list[np.ndarray]):
    bad = [*frames[:4], np.zeros((5, 5, 3), np.uint8), *frames[5:]]
    good, unprompted, broken, called = opened(tiny, frames, 4)
    unprompted.reset()
    broken = VideoSession((frame for frame in bad), tiny)
    broken.prompt(0, 1, points=[DISC])

    def on_frame(result: FrameResult) -> None:
        if result.frame == 2:
            raise LookupError("of the caller")

    with Scheduler() as scheduler:
        with held(scheduler, good):
            jobs = [scheduler.propagate(session) for session in (good, unprompted, broken)]
            jobs.append(scheduler.propagate(called, on_frame=on_frame))
            action = scheduler.submit(good, VideoSession.prompt, 99, 1, points=[DISC])
            wrong = scheduler.submit(good, lambda: None)  # pyright: ignore
        assert len(list(jobs[0])) == 10
        for job, error in [(jobs[1], "nothing to track"), (jobs[2], "same size")]:
            with pytest.raises((ValueError, FrameUnreadable), match=error):
                list(job)
            with pytest.raises((ValueError, FrameUnreadable), match=error):
                job.finished.result(WAIT)
        with pytest.raises(LookupError, match="of the caller"):
            jobs[3].finished.result(WAIT)
        with pytest.raises(IndexError, match="frame 99 is outside the video"):
            action.result(WAIT)
        with pytest.raises(TypeError):
            wrong.result(WAIT)
        assert called.history[-1].last == 2
        assert len(list(scheduler.propagate(called))) == 10
    assert same(logits(list(good.propagate())), logits(list(called.propagate())))


def test_results_before_an_error_are_read_first(tiny: Sam2, frames: list[np.ndarray]):
    broken = VideoSession((frame for frame in [*frames[:4], np.zeros((5, 5, 3), np.uint8)]), tiny)
    broken.prompt(0, 1, points=[DISC])
    with Scheduler() as scheduler:
        job, seen = scheduler.propagate(broken), []
        with pytest.raises(FrameUnreadable):
            job.finished.result(WAIT)
        with pytest.raises(FrameUnreadable):
            seen.extend(result.frame for result in job)
    assert seen == [0, 1, 2, 3]


def test_a_slow_reader_pauses_its_own_job_only(tiny: Sam2, frames: list[np.ndarray]):
    slow, fast = opened(tiny, frames, 2)
    with Scheduler() as scheduler:
        job = scheduler.propagate(slow, buffer=2)
        for _ in range(3):
            assert len(list(scheduler.propagate(fast))) == 10
        assert slow.history[-1].last == 1
        assert next(job).frame == 0
        assert len(list(scheduler.propagate(fast))) == 10
        assert slow.history[-1].last == 2
        assert [r.frame for r in job] == list(range(1, 10))
        assert next(job, None) is None
        with pytest.raises(ValueError, match="buffer must be at least 1, got 0"):
            scheduler.propagate(slow, buffer=0)
        with pytest.raises(ValueError, match="leave that out"):
            next(scheduler.propagate(slow, on_frame=print))


# The end


def test_close_does_what_was_submitted(tiny: Sam2, frames: list[np.ndarray]):
    one, other = opened(tiny, frames, 2)
    with Scheduler() as scheduler:
        job = scheduler.propagate(one, buffer=1)
        future = scheduler.submit(other, VideoSession.prompt, 0, 2, points=[SQUARE])
    assert future.done()
    assert job.finished.result(0) == len(list(job)) == 10
    assert not scheduler_threads()
    with pytest.raises(RuntimeError, match="closed"):
        scheduler.submit(one, VideoSession.reset)
    with pytest.raises(RuntimeError, match="closed"):
        scheduler.propagate(one)
    scheduler.close()


def test_close_cancels_what_was_submitted(tiny: Sam2, frames: list[np.ndarray]):
    one, other = opened(tiny, frames, 2)

    def fail() -> None:
        with Scheduler() as scheduler, held(scheduler, other):
            futures.append(scheduler.submit(other, VideoSession.reset))
            jobs.extend([scheduler.propagate(one, on_frame=seen.append), scheduler.propagate(other)])
            raise KeyError("an error in the block")

    futures, jobs, seen = [], [], []
    # The held thread is let go while the block is left, so that some frames may be tracked before the end.
    with pytest.raises(KeyError):
        fail()
    assert not scheduler_threads()
    assert all(future.done() for future in futures)
    assert all(job.finished.done() for job in jobs)
    scheduler = Scheduler()
    with held(scheduler, other) as release:
        future, job = scheduler.submit(other, VideoSession.reset), scheduler.propagate(one)
        closing = threading.Thread(target=lambda: scheduler.close(cancel=True))
        closing.start()
        while not job.cancelled:
            time.sleep(0.001)
        release.set()
        closing.join(WAIT)
    assert job.finished.result(0) == 0
    with pytest.raises(CancelledError):
        future.result(0)
    assert other.objects == [1]
    assert not scheduler_threads()


def test_a_running_job_stops_when_the_scheduler_is_closed(tiny: Sam2, frames: list[np.ndarray]):
    (session,) = opened(tiny, frames, 1)
    scheduler = Scheduler()
    closed = []
    scheduler.propagate(session, on_frame=lambda r: closed.append(r.frame) or scheduler.close(cancel=True))
    while scheduler_threads():
        time.sleep(0.001)
    assert closed == [0]
    assert session.history[-1].last == 0


def test_a_hundred_sessions_leave_nothing_behind(tiny: Sam2, frames: list[np.ndarray]):
    known: list[weakref.ref] = []
    before = set(threading.enumerate())  # one of another test may still end meanwhile
    with Scheduler(threads=2) as scheduler:

        def user(number: int) -> None:
            session = VideoSession(frames, tiny)
            shown = scheduler.submit(session, VideoSession.prompt, 0, 1, points=[DISC]).result(WAIT)
            assert shown.frame == 0
            job = scheduler.propagate(session, stop=1)
            if number % 4 == 0:
                job.cancel()
            elif number % 4 == 1:
                with pytest.raises(IndexError):
                    scheduler.submit(session, VideoSession.prompt, 99, 1, points=[DISC]).result(WAIT)
            assert len(list(job)) == job.finished.result(WAIT)
            if number % 2:
                scheduler.submit(session, VideoSession.close).result(WAIT)
            known.extend([weakref.ref(session), weakref.ref(job)])

        with ThreadPoolExecutor(4) as users:
            list(users.map(user, range(100)))
        scheduler.submit(*last_of(tiny, frames)).result(WAIT)
        assert len(set(threading.enumerate()) - before) == 2
        deadline = time.monotonic() + WAIT
        while any(ref() is not None for ref in known) and time.monotonic() < deadline:
            gc.collect()  # a session refers to itself
            time.sleep(0.01)
        assert len(known) == 200
        assert not [ref() for ref in known if ref() is not None]
    assert not set(threading.enumerate()) - before


def last_of(tiny: Sam2, frames: list[np.ndarray]) -> tuple[VideoSession, Callable[[VideoSession], None]]:
    return VideoSession(frames, tiny), VideoSession.reset


# In a server


def test_coroutines_wait_for_results(tiny: Sam2, frames: list[np.ndarray]):
    sessions = opened(tiny, frames, 3)
    expected = logits(list(opened(tiny, frames, 1)[0].propagate()))

    async def user(scheduler: Scheduler, session: VideoSession) -> list[FrameResult]:
        return [result async for result in scheduler.propagate(session, buffer=1)]

    async def main() -> list[list[FrameResult]]:
        with Scheduler() as scheduler:
            results = await asyncio.gather(*(user(scheduler, session) for session in sessions))
            future = scheduler.submit(sessions[0], VideoSession.prompt, 0, 2, points=[SQUARE])
            assert (await asyncio.wrap_future(future)).object_id == 2
            return results

    for results in asyncio.run(main()):
        assert same(logits(results), expected)


def test_a_reader_that_gives_up_loses_nothing(tiny: Sam2, frames: list[np.ndarray]):
    (session,) = opened(tiny, frames, 1)
    with Scheduler() as scheduler:
        with held(scheduler, session):
            job = scheduler.propagate(session)
            assert job.read().cancel()
            read: Future[FrameResult | None] = job.read()
        result = read.result(WAIT)
        assert result is not None
        assert result.frame == 0
        assert [r.frame for r in job] == list(range(1, 10))


def test_each_device_has_threads_of_its_own(tiny: Sam2, frames: list[np.ndarray]):
    (session,) = opened(tiny, frames, 1)
    elsewhere: Any = type("Elsewhere", (), {"model": SimpleNamespace(device=torch.device("cuda", 1))})()
    with Scheduler(threads=2) as scheduler:
        scheduler.submit(session, VideoSession.reset).result(WAIT)
        name = scheduler.submit(elsewhere, lambda _: threading.current_thread().name).result(WAIT)
        assert len(scheduler_threads()) == 4
    assert "cuda:1" in name


def test_there_is_a_thread_at_least():
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        Scheduler(0)
