"""Colours of objects: the colour map shared by PASCAL VOC and DAVIS."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8


@lru_cache(maxsize=1)
def davis_palette() -> UInt8[np.ndarray, "256 3"]:
    """RGB colour of each index, read-only: 0 is black (background), 1 dark red, 2 dark green, and so on.

    The three lowest bits of an index are the highest bits of red, green and blue, the next three the next lower ones.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for level in range(3):
        for channel in range(3):
            bit = (index >> (3 * level + channel)) & 1
            palette[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    palette.flags.writeable = False
    return palette


def object_colors(object_ids: Iterable[int]) -> dict[int, tuple[int, int, int]]:
    """RGB colour of each object id, 0..255; ids past 255 start again at the first colour, never at black.

    Raises:
        ValueError: An id is below 1: 0 is the background.
    """
    palette = davis_palette()
    colors = {}
    for object_id in object_ids:
        if object_id < 1:
            raise ValueError(f"Object ids start at 1 (0 is the background), got {object_id}.")
        red, green, blue = palette[(object_id - 1) % 255 + 1].tolist()
        colors[object_id] = (red, green, blue)
    return colors
