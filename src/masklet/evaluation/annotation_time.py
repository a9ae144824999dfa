"""What interactive annotation costs a user, and the quality it buys: J and F against frames, clicks and seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .scores import InteractiveScore

Mode = Literal["offline", "online"]

EXAMINE = 30 / 300
"""Seconds to look through one frame (T_exam)."""
LOCATE = 1.0
"""Seconds to find the object on a frame that is stopped at (T_loc)."""
CLICK = 1.5
"""Seconds of one click (T_click)."""


def annotation_seconds(mode: Mode, length: int, frames: int, clicks: int = 3) -> float:
    """Time to annotate one object of a video; offline the whole video is looked through before every prompted frame.

    Source: SAM 2 paper, appendix E.1.2.

    Args:
        mode: Offline or online.
        length: Number of frames of the video.
        frames: Number of prompted frames.
        clicks: Clicks on each of them.
    """
    views = frames if mode == "offline" else 1
    return EXAMINE * length * views + (LOCATE + CLICK * clicks) * frames


@dataclass(frozen=True)
class EffortPoint:
    """Means over objects after so many prompted frames.

    Attributes:
        frames: Prompted frames allowed; an object that needs no more stays as it is.
        clicks: Clicks given so far.
        seconds: Annotation time so far.
        j: J over the scored frames.
        f: F over the scored frames.
    """

    frames: int
    clicks: float
    seconds: float
    j: float
    f: float

    @property
    def jf(self) -> float:
        """J&F, the mean of both."""
        return (self.j + self.f) / 2


@dataclass(frozen=True)
class EffortCurve:
    """J and F against effort: a point for 1, 2, ... prompted frames."""

    points: tuple[EffortPoint, ...]

    @property
    def jf(self) -> float:
        """J&F averaged over the numbers of prompted frames: the one number that the paper gives of a curve."""
        return float(np.mean([p.jf for p in self.points]))

    def at(self, seconds: float) -> float:
        """J&F after so much annotation time: on the line from nothing at 0 s through the points, level after the last.

        Source: DAVIS interactive challenge (J&F at 60 s).
        """
        return float(np.interp(seconds, *self._line))

    def area(self, until: float) -> float:
        """Mean of :meth:`at` over the time from 0 s to ``until``, which must not lie before the last point.

        Source: DAVIS interactive challenge (area under the curve).

        Raises:
            ValueError: It does.
        """
        seconds, values = self._line
        if until < seconds[-1]:
            raise ValueError(f"got until={until} s, expected at least the time of the last point ({seconds[-1]} s)")
        values = np.array([*values, values[-1]])
        return float(np.diff([*seconds, until]) @ (values[1:] + values[:-1]) / 2 / until)

    @property
    def _line(self) -> tuple[list[float], list[float]]:
        return [0.0, *(p.seconds for p in self.points)], [0.0, *(p.jf for p in self.points)]


def effort_curve(scores: Iterable[InteractiveScore]) -> EffortCurve:
    """Mean the rounds of objects, each object counting once.

    Raises:
        ValueError: There is no score, or two have different numbers of rounds.
    """
    scores = list(scores)
    counts = sorted({len(s.rounds) for s in scores})
    if len(counts) != 1:
        raise ValueError(f"expected objects with one number of rounds, got {counts or 'none'}: score all of them alike")
    values = np.array([[(len(r.score.clicks), r.seconds, r.score.j, r.score.f) for r in s.rounds] for s in scores])
    values[:, :, 0] = values[:, :, 0].cumsum(axis=1)
    means = values.mean(axis=0)
    return EffortCurve(tuple(EffortPoint(n, *map(float, row)) for n, row in enumerate(means, 1)))
