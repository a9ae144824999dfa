"""Memory bank: what is remembered of one object, and which of it a frame may read (paper, section 4; no tensor maths).

Parity: sam2/modeling/sam2_base.py:515-645. The official code keeps everything for ever; a frame can only read prompted
frames, the maps of the last few frames and the pointers of some more, so everything else can go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import Tensor

from ..structures import MemoryEntry, Selection

PROMPTED_SLOT = -1  # the last row of the time codes


@dataclass(frozen=True)
class BankLimits:
    """How much a frame may read, in frames.

    Attributes:
        recent_maps: Memory maps of frames just before.
        recent_pointers: Object pointers of frames just before; below 0: none at all, nor those of prompted frames.
        prompted: Prompted frames, nearest first; None for all of them (official).
        pointer_span: Divisor of pointer distances. Official code: the clip's length, at most 16, minus one.
    """

    recent_maps: int = 6
    recent_pointers: int = 15
    prompted: int | None = None
    pointer_span: int = 15

    def __post_init__(self) -> None:
        if self.prompted is not None and self.prompted < 1:
            raise ValueError(f"prompted must be at least 1 or None for all, got {self.prompted}")


@dataclass(frozen=True)
class Readable:
    """Between which frames, themselves included, a frame may read.

    Attributes:
        prompted: First and last frame whose prompted memory may be read.
        recent: The same of ordinary memory, maps and pointers.
    """

    prompted: tuple[float, float] = (-math.inf, math.inf)
    recent: tuple[float, float] = (-math.inf, math.inf)


EVERYTHING = Readable()


class MemoryBank:
    """Entries of one object by frame; prompted frames are kept apart and never dropped."""

    def __init__(self, limits: BankLimits) -> None:
        self.limits = limits
        self.prompted: dict[int, MemoryEntry] = {}
        self.recent: dict[int, MemoryEntry] = {}

    def write(self, t: int, entry: MemoryEntry, *, prompted: bool) -> None:
        """Remember a frame; a prompted entry replaces any other of that frame."""
        if prompted:
            self.prompted[t] = entry
            self.recent.pop(t, None)
        else:
            self.recent[t] = entry

    def read(
        self, t: int, *, reverse: bool = False, pointers_ahead: bool = False, within: Readable = EVERYTHING
    ) -> Selection:
        """What frame ``t`` may read, tracking forward or in reverse. Selects only; changes nothing.

        Pointers of prompted frames that come later are read only with ``pointers_ahead`` (officially: in training).
        """
        prompted = {p: e for p, e in self.prompted.items() if within.prompted[0] <= p <= within.prompted[1]}
        near = self._nearest(t, list(prompted))
        step = -1 if reverse else 1
        maps = [(PROMPTED_SLOT, prompted[p]) for p in near]
        recent = {f: e for f, e in self.recent.items() if within.recent[0] <= f <= within.recent[1]}
        others = {**recent, **{p: e for p, e in prompted.items() if p not in near}}
        for back in range(self.limits.recent_maps, 0, -1):
            entry = others.get(t - step * back)
            if entry is not None and entry.features is not None:
                maps.append((back - 1, entry))
        pointers = []
        if self.limits.recent_pointers >= 0:
            pointers = [(step * (t - p), prompted[p]) for p in near if pointers_ahead or step * (t - p) >= 0]
        for back in range(1, self.limits.recent_pointers + 1):
            entry = others.get(t - step * back)
            if entry is not None:
                pointers.append((back, entry))
        return Selection(tuple(maps), tuple(pointers), self.limits.pointer_span)

    def before(self, t: int, *, reverse: bool = False) -> Tensor | None:
        """Memory map of the frame just before ``t``, tracking forward or in reverse; None where there is none."""
        f = t + 1 if reverse else t - 1
        entry = self.prompted.get(f) or self.recent.get(f)
        return None if entry is None else entry.features

    def _nearest(self, t: int, frames: list[int]) -> list[int]:
        """Which prompted frames to read: nearest before, nearest at or after, then the closest; all without a limit."""
        limit = self.limits.prompted
        if limit is None or len(frames) <= limit:
            return frames
        before = max((f for f in frames if f < t), default=None)
        after = min((f for f in frames if f >= t), default=None)
        chosen = [f for f in (before, after) if f is not None][:limit]
        rest = sorted((f for f in frames if f not in chosen), key=lambda f: abs(f - t))
        return chosen + rest[: limit - len(chosen)]

    def prune(self, anchors: Iterable[int]) -> None:
        """Drop what no frame near one of the ``anchors`` can read, in either direction."""
        anchors, reach = list(anchors), max(self.limits.recent_maps, self.limits.recent_pointers)
        for t, entry in list(self.recent.items()):
            distance = min((abs(t - a) for a in anchors), default=0)
            if distance > reach:
                del self.recent[t]
            elif distance > self.limits.recent_maps and entry.features is not None:
                self.recent[t] = replace(entry, features=None)

    def forget(self, t: int) -> None:
        """Remove whatever is remembered of a frame."""
        self.prompted.pop(t, None)
        self.recent.pop(t, None)
