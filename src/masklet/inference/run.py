"""A run of tracking: frames in their order, one turn each, until it is cancelled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import count
from typing import Any

from ..tracker import Direction
from .results import FrameResult
from .track import ObjectTrack
from .turns import Turns


class Run:
    """The results of a propagation, each made when it is asked for; other threads may act between two of them.

    What was tracked when a run ends is one action, which can be undone, however it ended.
    """

    def __init__(self, results: Generator[FrameResult, None, None], turns: Turns) -> None:
        self._results, self._turns = results, turns
        self._cancelled = False

    def __iter__(self) -> Iterator[FrameResult]:
        return self

    def __next__(self) -> FrameResult:
        with self._turns:
            if self._cancelled:
                self._results.close()
            return next(self._results)

    def cancel(self) -> None:
        """Stop the run, from any thread, without waiting: a frame that is being tracked is the last one."""
        self._cancelled = True

    def close(self) -> None:
        """Stop the run; a frame that is being tracked in another thread is waited for."""
        with self._turns:
            self._results.close()


def checked_range(
    checked_frame: Callable[[Any], int],
    tracks: Iterable[ObjectTrack],
    start: int | None,
    stop: int | None,
    direction: Direction,
) -> tuple[int, int | None]:
    """First and last frame of a run; see :meth:`~masklet.inference.session.VideoSession.propagate`.

    Raises:
        ValueError: No object is prompted, or the range does not fit the direction.
        IndexError: A frame outside the video, as ``checked_frame`` says.
    """
    if direction not in ("forward", "backward", "both"):
        raise ValueError(f"direction must be 'forward', 'backward' or 'both', got {direction!r}")
    prompted = [t for track in tracks for t in (*track.bank.prompted, *track.pending)]
    if not prompted:
        raise ValueError("there is nothing to track: prompt an object on a frame first")
    first = checked_frame(min(prompted) if start is None else start)
    stop = None if stop is None else checked_frame(stop)
    backward = direction == "backward"
    if stop is not None and (stop > first if backward else stop < first):
        raise ValueError(f"stop ({stop}) lies before start ({first}) in the direction {direction!r}")
    return first, stop


def frames_in_order(
    length: int | None, first: int, stop: int | None, direction: Direction
) -> Iterator[tuple[int, bool]]:
    """Frames to track and whether in reverse; without an end where the video has none yet (``length`` None)."""
    if direction != "backward":
        end = length if stop is None else stop + 1
        yield from ((t, False) for t in (count(first) if end is None else range(first, end)))
    if direction != "forward":
        last = 0 if stop is None or direction == "both" else stop
        yield from ((t, True) for t in range(first if direction == "backward" else first - 1, last - 1, -1))
