"""What the timeline shows of an object: how sure each frame is, and where the object is not there.

It is looked at after every action, over all frames of a long video: an object that nobody touched costs nothing then,
and of one that was touched only new masks are read.
"""

from __future__ import annotations

from secrets import randbelow
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ..inference.journal import Journal
from ..inference.results import Shown, probability
from ..inference.spool import Kept
from ..inference.track import ObjectTrack


class _Score(NamedTuple):
    """What lanes show of a frame, and the value that it was read from."""

    kept: Kept[Shown]
    confidence: float
    there: bool
    said_absent: bool

    @staticmethod
    def of(kept: Kept[Shown]) -> _Score:
        one = kept.value
        return _Score(kept, round(one.iou * probability(one.presence), 3), one.presence > 0, one.absent)


class ObjectLane:
    """The lane of an object; :meth:`update` before it is looked at.

    Attributes:
        version: Changes whenever the lane does; also when another process goes on with the session.
        tracked: First and last frame of each stretch with masks, in order.
        absent: Of each stretch where the object is judged or said not to be there.
        said_absent: Of each where people said so.
    """

    def __init__(self) -> None:
        self.version = randbelow(2**48)
        self.tracked: list[list[int]] = []
        self.absent: list[list[int]] = []
        self.said_absent: list[list[int]] = []
        self._scores: dict[int, _Score] = {}
        self._frames: list[int] = []
        self._seen: tuple[Journal[Shown] | None, int, tuple[int, int]] = None, 0, (0, 0)

    def update(self, track: ObjectTrack) -> ObjectLane:
        """Bring the lane up to its object."""
        journal, changes, life = track.shown, track.shown.changes, track.life
        if journal is self._seen[0] and (changes, life) == self._seen[1:]:
            return self
        before = self._scores
        self._scores = {t: _known(before.get(t), kept) for t, kept in journal.kept.items()}
        self._frames = [t for t in sorted(self._scores) if life[0] <= t <= life[1]]
        frames = np.array(self._frames, int)
        absent = np.array([not self._scores[t].there for t in self._frames], bool)
        said = np.array([self._scores[t].said_absent for t in self._frames], bool)
        self.tracked, self.absent, self.said_absent = _runs(frames), _runs(frames, absent), _runs(frames, said)
        self.version, self._seen = self.version + 1, (journal, changes, life)
        return self

    def confidence(self) -> tuple[int, list[float | None]]:
        """First frame with a mask, and how sure each from it on is, to the last one; None where there is no mask."""
        if not self._frames:
            return 0, []
        first, last = self._frames[0], self._frames[-1]
        confidence: list[float | None] = [None] * (last - first + 1)
        for t in self._frames:
            confidence[t - first] = self._scores[t].confidence
        return first, confidence


def _known(before: _Score | None, kept: Kept[Shown]) -> _Score:
    """Values do not change, so that one that was seen is not read again."""
    return before if before is not None and before.kept is kept else _Score.of(kept)


def _runs(frames: Int[np.ndarray, " n"], chosen: Bool[np.ndarray, " n"] | None = None) -> list[list[int]]:
    """First and last frame of each run of neighbours among chosen frames, which are in order."""
    if chosen is not None:
        frames = frames[chosen]
    if not len(frames):
        return []
    ends = np.flatnonzero(np.diff(frames) > 1)
    return np.stack((frames[np.r_[0, ends + 1]], frames[np.r_[ends, len(frames) - 1]]), axis=1).tolist()
