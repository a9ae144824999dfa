"""Scores of video segmentation: of an object, of a sequence, of a set of sequences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Click:
    """A click of the simulated user: where (pixels of the frame), and 1 for the object or 0 for what it is not."""

    frame: int
    x: float
    y: float
    label: int


@dataclass(frozen=True)
class ObjectScore:
    """J and F of one object: means over its scored frames, and the value of each of them.

    Attributes:
        object_id: Id of the object in the sequence's masks.
        frames: Scored frames.
        j_frames: J in each of them.
        f_frames: F in each of them.
        clicks: What the simulated user clicked, in order.
    """

    object_id: int
    frames: tuple[int, ...]
    j_frames: tuple[float, ...]
    f_frames: tuple[float, ...]
    clicks: tuple[Click, ...] = ()

    @property
    def j(self) -> float:
        """Mean J over the scored frames."""
        return float(np.mean(self.j_frames))

    @property
    def f(self) -> float:
        """Mean F over the scored frames."""
        return float(np.mean(self.f_frames))


@dataclass(frozen=True)
class SequenceScore:
    """Scores of the objects of one sequence; its J and F are means over them."""

    name: str
    objects: tuple[ObjectScore, ...]

    @property
    def j(self) -> float:
        """Mean J over the objects."""
        return float(np.mean([o.j for o in self.objects]))

    @property
    def f(self) -> float:
        """Mean F over the objects."""
        return float(np.mean([o.f for o in self.objects]))


@dataclass(frozen=True)
class VosScore:
    """Scores of a set of sequences: as means over sequences, and over all objects as DAVIS 2017 reports them."""

    sequences: tuple[SequenceScore, ...]

    @cached_property
    def _objects(self) -> list[ObjectScore]:
        return [o for s in self.sequences for o in s.objects]

    @property
    def j(self) -> float:
        """Mean J over sequences."""
        return float(np.mean([s.j for s in self.sequences]))

    @property
    def f(self) -> float:
        """Mean F over sequences."""
        return float(np.mean([s.f for s in self.sequences]))

    @property
    def object_j(self) -> float:
        """Mean J over objects."""
        return float(np.mean([o.j for o in self._objects]))

    @property
    def object_f(self) -> float:
        """Mean F over objects."""
        return float(np.mean([o.f for o in self._objects]))


@dataclass(frozen=True)
class Round:
    """An object after so many prompted frames of an interactive session.

    Attributes:
        frame: Frame that was prompted last; None: there was nothing more to correct, the last round's masks stand.
        score: J and F over all scored frames, and the clicks of this round.
        seconds: Annotation time so far (paper, appendix E.1.2).
    """

    frame: int | None
    score: ObjectScore
    seconds: float


@dataclass(frozen=True)
class InteractiveScore:
    """One object of one video, corrected frame by frame: ``rounds[n - 1]`` is the state after ``n`` prompted frames."""

    name: str
    object_id: int
    rounds: tuple[Round, ...]
