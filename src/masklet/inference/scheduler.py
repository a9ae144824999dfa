"""A scheduler of sessions: many users share a model, no one waits for another's propagation.

Prompts and other short actions go ahead of propagations, which are worked on frame by frame in turn. A device's time is
shared by start-time fair queueing (Goyal et al. 1996): the next frame is one of the session whose frames took the least
time so far; who was away does not save up time for later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Thread, current_thread
from time import perf_counter
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import torch

from ..tracker import Direction
from .job import Job, OnFrame, of_caller
from .session import VideoSession

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class _Queue:
    """What is to be done for a session.

    Attributes:
        session: The session.
        device: Where its model is.
        actions: What can be cancelled, and what does it; they go ahead of frames, in their order.
        jobs: Propagations that were begun; the first one is worked on.
        asked: When it was last served out of turn, counted in such services.
        busy: Whether a thread is working on it.
    """

    session: VideoSession
    device: torch.device
    actions: deque[tuple[Future[Any] | Job, Callable[[], object]]] = field(default_factory=deque)
    jobs: deque[Job] = field(default_factory=deque)
    asked: int = 0
    busy: bool = False

    @property
    def cancelled(self) -> Job | None:
        """A job that is to be ended."""
        return next((job for job in self.jobs if job.cancelled), None)

    @property
    def urgent(self) -> bool:
        """Whether something goes ahead of frames."""
        return bool(self.actions) or self.cancelled is not None


class Scheduler:
    """Works for many sessions, of one model or of several, on a thread of its own for each device.

    Of one session, actions are done in the order in which they were submitted, and propagations one after the other;
    an action comes between two frames of a propagation that is going on. Wait for a job's ``finished`` to do something
    after it. Never wait for results within an action or ``on_frame``: these run on the scheduler's thread.

    Leaving a ``with`` block closes the scheduler: what was submitted is done first, or cancelled after an error.

    Args:
        threads: Threads for each device. On a CPU torch uses all cores from one of them.

    Raises:
        ValueError: Less than one thread.
    """

    def __init__(self, threads: int = 1) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self._threads_each = threads
        self._changed = Condition()
        self._queues: dict[VideoSession, _Queue] = {}
        self._used: WeakKeyDictionary[VideoSession, float] = WeakKeyDictionary()
        self._clocks: dict[torch.device, float] = {}
        self._threads: list[Thread] = []
        self._served = 0
        self._closing = False

    def submit(
        self,
        session: VideoSession,
        action: Callable[Concatenate[VideoSession, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[R]:
        """Do something short with a session soon: ahead of all frames of propagations.

        ``submit(session, VideoSession.prompt, 0, 1, points=[(x, y)])``; any function will do that takes a session.

        Returns:
            Its result or error; ``asyncio.wrap_future`` makes it awaitable. It can be cancelled before it is begun.

        Raises:
            RuntimeError: The scheduler is closed.
        """
        future: Future[R] = Future()
        self._add(session, future, partial(_act, future, partial(action, session, *args, **kwargs)))
        return future

    def propagate(
        self,
        session: VideoSession,
        *,
        start: int | None = None,
        stop: int | None = None,
        direction: Direction = "forward",
        on_frame: OnFrame | None = None,
        buffer: int = 8,
    ) -> Job:
        """Follow all objects of a session, in turn with the propagations of other sessions.

        Args:
            session: The session.
            start: As in :meth:`VideoSession.propagate`, and so the next two.
            stop: Last frame.
            direction: ``forward``, ``backward`` or ``both``.
            on_frame: Called with each result on the scheduler's thread, so it has to be short; the job keeps no results
                then. Its error ends this job only.
            buffer: Most results that wait to be read; the job pauses until there is room.

        Returns:
            The results; errors of :meth:`VideoSession.propagate` come out of it, too.

        Raises:
            RuntimeError: The scheduler is closed.
            ValueError: No room for a single result.
        """
        if buffer < 1:
            raise ValueError(f"buffer must be at least 1, got {buffer}")
        run = partial(session.propagate, start=start, stop=stop, direction=direction)
        job = Job(run, on_frame, buffer if on_frame is None else 0, self._changed)
        self._add(session, job, partial(self._begin, session, job))
        return job

    def close(self, *, cancel: bool = False) -> None:
        """Take nothing more, do what was submitted, and end the threads.

        Results that nobody has read by then are kept, however many.

        Args:
            cancel: Cancel instead what is not begun, and stop propagations at the next frame.
        """
        with self._changed:
            self._closing = True
            queues = list(self._queues.values()) if cancel else []
            left = [what for queue in queues for what in (*(owner for owner, _ in queue.actions), *queue.jobs)]
            self._changed.notify_all()
        for one in left:
            one.cancel()
        for thread in self._threads:
            if thread is not current_thread():
                thread.join()

    def __enter__(self) -> Scheduler:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(cancel=kind is not None)

    def _add(self, session: VideoSession, owner: Future[Any] | Job, action: Callable[[], object]) -> None:
        device = session.model.device
        with self._changed:
            if self._closing:
                raise RuntimeError("the scheduler is closed: make a new one")
            if device not in self._clocks:
                self._clocks[device] = 0.0
                for number in range(self._threads_each):
                    name = f"masklet scheduler {device} {number}"
                    self._threads.append(Thread(target=self._work, args=(device,), name=name, daemon=True))
                    self._threads[-1].start()
            queue = self._queues.setdefault(session, _Queue(session, device))
            queue.actions.append((owner, action))
            self._changed.notify_all()

    def _begin(self, session: VideoSession, job: Job) -> None:
        if job.begin():
            with self._changed:
                self._queues[session].jobs.append(job)

    # On the threads

    def _work(self, device: torch.device) -> None:
        while self._serve(device):
            pass

    def _serve(self, device: torch.device) -> bool:
        """Wait for something to do and do it; returns False when there will be nothing more."""
        with self._changed:
            while (queue := self._pick(device)) is None:
                if self._closing and not any(queue.device == device for queue in self._queues.values()):
                    return False
                self._changed.wait()
            queue.busy = True
            if queue.urgent:
                self._served += 1
                queue.asked = self._served
            job = queue.cancelled
            action = queue.actions.popleft()[1] if job is None and queue.actions else None
        if action is not None:
            action()
        else:
            self._track(queue, job or queue.jobs[0])
        with self._changed:
            queue.busy = False
            if not queue.actions and not queue.jobs:
                del self._queues[queue.session]
            self._changed.notify_all()
        return True

    def _track(self, queue: _Queue, job: Job) -> None:
        """Track a frame, and charge the time to the session."""
        with self._changed:
            start = self._start_of(queue)
            if not job.cancelled:
                self._clocks[queue.device] = start
        began = perf_counter()
        goes_on = job.track()
        with self._changed:
            self._used[queue.session] = start + perf_counter() - began
            if not goes_on:
                queue.jobs.remove(job)

    def _pick(self, device: torch.device) -> _Queue | None:
        """Whose turn it is: of those with something urgent the one that had it longest ago, else by the time used."""
        free = [queue for queue in self._queues.values() if queue.device == device and not queue.busy]
        urgent = [queue for queue in free if queue.urgent]
        if urgent:
            return min(urgent, key=lambda queue: queue.asked)
        ready = [queue for queue in free if self._closing or queue.jobs[0].has_room]
        return min(ready, key=self._start_of, default=None)

    def _start_of(self, queue: _Queue) -> float:
        """Virtual time at which the next frame of a session starts, in seconds of its device."""
        return max(self._used.get(queue.session, 0.0), self._clocks[queue.device])


def _act(future: Future[R], action: Callable[[], R]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = action()
    except BaseException as error:  # noqa: BLE001  whatever it is, it belongs to who submitted the action
        future.set_exception(of_caller(error))
    else:
        future.set_result(result)
