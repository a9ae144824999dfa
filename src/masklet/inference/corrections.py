"""How a correction takes effect: what the frames beside it may still read of the other side.

``blend`` is the paper's way: the corrected frame becomes prompted memory beside all others. After ``override`` the
frames on either side no longer read ordinary memory from beyond it, which was made before the mistake was seen.
``barrier`` goes further: they read nothing at all from beyond it, not even prompted frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ..model.memory_bank import Readable

Correction = Literal["blend", "override", "barrier"]
CORRECTIONS: tuple[Correction, ...] = ("blend", "override", "barrier")


def check_correction(given: Any) -> Correction:
    """Raise ValueError unless it is one of ``CORRECTIONS``."""
    if given not in CORRECTIONS:
        raise ValueError(f"a correction is one of {', '.join(CORRECTIONS)}, got {given!r}")
    return given


def readable(t: int, corrections: Mapping[int, Correction], cuts: Iterable[int] = ()) -> Readable:
    """What frame ``t`` may read.

    Args:
        t: The frame.
        corrections: Those of an object by frame. A corrected frame belongs to both sides.
        cuts: First frames of scenes; ordinary memory of another scene is not read.
    """
    walls = [f for f, one in corrections.items() if one == "barrier"]
    first, last = _around(t, [f for f, one in corrections.items() if one != "blend"])
    for cut in cuts:
        first, last = (max(first, cut), last) if cut <= t else (first, min(last, cut - 1))
    return Readable(_around(t, walls), (first, last))


def _around(t: int, frames: Iterable[int]) -> tuple[float, float]:
    frames = [f for f in frames if f != t]
    before = max((f for f in frames if f < t), default=-math.inf)
    return before, min((f for f in frames if f > t), default=math.inf)
