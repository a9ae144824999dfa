"""What came from a client, checked: numbers, ranges and masks in the body of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from ..masks import rle

_MOST = 2**53  # whole numbers that JavaScript can say


def number(body: Mapping[str, Any], name: str) -> int:
    """A whole number of at least 0.

    Raises:
        ValueError: It is missing or something else.
    """
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError(f"{name!r} must be a whole number of at least 0, got {value!r:.40}")
    return value


def optional(body: Mapping[str, Any], name: str) -> int | None:
    """A whole number of at least 0, or None.

    Raises:
        ValueError: It is something else.
    """
    return None if body.get(name) is None else number(body, name)


def frames_of(body: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """``first`` and ``last``, each of which may be left out.

    Raises:
        ValueError: One is something else.
    """
    return optional(body, "first"), optional(body, "last")


def mask_of(body: Mapping[str, Any], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The mask of ``counts``: COCO run lengths, as text or numbers, at a size.

    Raises:
        ValueError: It is none of that size.
    """
    counts = body.get("counts")
    if not isinstance(counts, (str, list)):
        raise ValueError(f"'counts' must be COCO run lengths, got {counts!r:.40}")
    if isinstance(counts, list) and not all(isinstance(run, int) and run >= 0 for run in counts):
        raise ValueError("'counts' must be whole numbers of at least 0")
    return rle.decode({"size": list(size), "counts": counts})


def span_of(body: Mapping[str, Any], length: int, most: int | None = None) -> range:
    """Frames from ``first`` on, ``count`` of them, as far as there are; left out: all.

    Raises:
        ValueError: One is something else, or more than ``most`` were asked for.
    """
    first, count = optional(body, "first") or 0, optional(body, "count")
    if most is not None and count is not None and count > most:
        raise ValueError(f"at most {most} frames at a time, got {count}")
    end = length if count is None else min(first + count, length)
    return range(first, max(first, end if most is None else min(end, first + most)))
