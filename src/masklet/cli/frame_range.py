"""Which frames a run tracks and which of them it gives: ``--start``, ``--stop`` and ``--direction``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..tracker import Direction

if TYPE_CHECKING:
    from ..inference.region_session import RegionSession
    from ..inference.results import FrameResult
    from ..inference.session import VideoSession


@dataclass(frozen=True)
class FrameRange:
    """A way through a video.

    Attributes:
        first: First frame that is given.
        last: Last one; None: the end of the video.
        begin: Prompted frame at which tracking begins; where it lies outside the range, the way to it is not given.
        forward: Whether frames from ``begin`` on are tracked.
        backward: Whether frames before it are (and it, if it is not tracked forward).
    """

    first: int
    last: int | None
    begin: int
    forward: bool
    backward: bool

    def __contains__(self, frame: int) -> bool:
        return self.first <= frame and (self.last is None or frame <= self.last)

    def track(self, session: VideoSession | RegionSession) -> Iterator[FrameResult]:
        """Results of the frames in the range, each once."""
        if self.forward:
            for result in session.propagate(start=self.begin, stop=self.last, direction="forward"):
                if result.frame in self:
                    yield result
        if self.backward:
            for result in session.propagate(start=self._top, stop=self.first, direction="backward"):
                if result.frame in self:
                    yield result

    def count(self, length: int | None) -> int | None:
        """Number of frames given; None where the length of the video is not known."""
        if self.last is None and length is None:
            return None
        end = self.last if self.last is not None else (length or 0) - 1
        forward = end - max(self.begin, self.first) + 1 if self.forward else 0
        return forward + (min(self._top, end) - self.first + 1 if self.backward else 0)

    @property
    def _top(self) -> int:
        return self.begin - 1 if self.forward else self.begin


def frame_range(
    prompted: Collection[int], start: int | None, stop: int | None, direction: Direction, length: int | None
) -> FrameRange:
    """The way through a video whose prompts lie on the given frames.

    Tracking begins at the earliest prompted frame in the range. Without one it comes forward from the last prompted
    frame before the range, or else backward from the first one after it.

    Raises:
        IndexError: The range reaches outside the video.
        ValueError: The range is empty, or the direction leads from no prompted frame into it.
    """
    first = 0 if start is None else start
    for option, frame in (("--start", start), ("--stop", stop)):
        if frame is not None and (frame < 0 or (length is not None and frame >= length)):
            known = "0 on" if length is None else f"0..{length - 1}"
            raise IndexError(f"{option} {frame} is outside the video: its frames are {known}")
    if stop is not None and stop < first:
        raise ValueError(f"--stop {stop} lies before --start {first}: give the first and the last frame, both included")
    inside = [t for t in prompted if t >= first and (stop is None or t <= stop)]
    before = [t for t in prompted if t < first]
    after = [t for t in prompted if stop is not None and t > stop]
    if inside:
        begin = min(inside)
    elif before and direction != "backward":
        begin = max(before)
    elif after and direction != "forward":
        begin = min(after)
    else:
        raise ValueError(
            f"the range from frame {first} to {'the end' if stop is None else stop} cannot be reached going "
            f"{direction} from the prompted frames {sorted(prompted)}: change --direction, --start or --stop"
        )
    forward = direction != "backward" and (stop is None or begin <= stop)
    backward = direction == "backward" or (direction == "both" and begin > first)
    return FrameRange(first, stop, begin, forward, backward)
