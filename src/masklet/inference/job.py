"""A job: a propagation in a scheduler, as its consumer sees it and as the scheduler works on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from threading import Condition
from typing import Literal, TypeVar

from .results import FrameResult
from .run import Run

R = TypeVar("R")
OnFrame = Callable[[FrameResult], object]


class Job:
    """Results of a propagation, to iterate over with ``for`` or ``async for``, or one by one by :meth:`read`.

    Leaving a ``with`` block over it cancels it.

    Attributes:
        finished: Number of frames that were tracked, or the error that ended the job, when nothing more will be done.
    """

    def __init__(self, start: Callable[[], Run], on_frame: OnFrame | None, buffer: int, changed: Condition) -> None:
        self.finished: Future[int] = Future()
        self.finished.set_running_or_notify_cancel()  # it is the job that is cancelled, not the waiting for it
        self._start: Callable[[], Run] | None = start
        self._on_frame, self._buffer, self._changed = on_frame, buffer, changed
        self._run: Run | None = None
        self._results: deque[FrameResult] = deque()
        self._readers: deque[Future[FrameResult | None]] = deque()
        self._count = 0
        self._over = False
        self._error: BaseException | None = None
        self.cancelled = False

    # For the consumer

    def read(self) -> Future[FrameResult | None]:
        """The next result, when it is there; None after the last one, and the job's error after it has failed.

        Raises:
            ValueError: Results go to ``on_frame``.
        """
        if self._buffer == 0:
            raise ValueError("the results of this job go to its on_frame: leave that out to read them")
        future: Future[FrameResult | None] = Future()
        with self._changed:
            if not self._results and not self._over:
                self._readers.append(future)
                return future
            result = self._results.popleft() if self._results else None
            self._changed.notify_all()
        settle(future, result, None if result is not None else self._error)
        return future

    def cancel(self) -> None:
        """Track no further frame; does not wait for the one that is being tracked. What was tracked stays."""
        with self._changed:
            self.cancelled = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[FrameResult]:
        return self

    def __next__(self) -> FrameResult:
        result = self.read().result()
        if result is None:
            raise StopIteration
        return result

    def __aiter__(self) -> AsyncIterator[FrameResult]:
        return self

    async def __anext__(self) -> FrameResult:
        result = await asyncio.wrap_future(self.read())
        if result is None:
            raise StopAsyncIteration
        return result

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    # For the scheduler, which never calls these from two threads at once

    @property
    def has_room(self) -> bool:
        """Whether its consumer is not behind."""
        return self._buffer == 0 or len(self._results) < self._buffer

    def begin(self) -> bool:
        """Start the propagation; returns whether there is anything to do then."""
        start, self._start = self._start, None
        if self.cancelled or start is None:
            return self._end(None)
        try:
            self._run = start()
        except BaseException as error:  # noqa: BLE001  whatever it is, it belongs to who asked for the job
            return self._end(of_caller(error))
        return True

    def track(self) -> bool:
        """Track a frame and hand it on; returns whether there is more to do."""
        assert self._run is not None
        try:
            if self.cancelled:
                self._run.cancel()
            result = next(self._run, None)
        except BaseException as error:  # noqa: BLE001  as above
            return self._end(of_caller(error))
        if result is None:
            return self._end(self._error)
        self._count += 1
        if self._on_frame is None:
            self._hand_on(result)
            return True
        try:
            self._on_frame(result)
        except BaseException as error:  # noqa: BLE001  as above
            self._error, self.cancelled = of_caller(error), True
        return True

    def _hand_on(self, result: FrameResult) -> None:
        with self._changed:
            while self._readers:
                reader = self._readers.popleft()
                if reader.set_running_or_notify_cancel():
                    break
            else:
                self._results.append(result)
                return
        reader.set_result(result)

    def _end(self, error: BaseException | None) -> Literal[False]:
        self._run = self._on_frame = None
        with self._changed:
            self._over, self._error = True, error
            readers = [reader for reader in self._readers if reader.set_running_or_notify_cancel()]
            self._readers.clear()
        for reader in readers:
            settle(reader, None, error)
        settle(self.finished, self._count, error)
        return False


def settle(future: Future[R], result: R, error: BaseException | None) -> None:
    """Set the result, or the error if there is one."""
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def of_caller(error: BaseException) -> BaseException:
    """An error without the frame that caught it, which would keep itself alive through the future that holds it."""
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
