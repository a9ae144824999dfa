"""Masks from outlines: polygons filled as COCO fills them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool
from pycocotools import mask as coco

_FARTHEST = 10
"""How many image sides a corner may lie outside; what is farther is a mistake of units and would take much memory."""


def fill_polygons(polygons: Sequence[Any], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Fill polygons and join them.

    Args:
        polygons: Corners of each as a list of numbers ``x0, y0, x1, y1, ...`` in pixels, where edges of the image are
            at 0 and its width.
        size: Height and width of the image; what lies outside is cut off.

    Raises:
        ValueError: A polygon has fewer than three corners, an odd number of values, or values that are no positions.
    """
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"Cannot fill polygons in an image of {width}x{height} pixels: expected at least 1x1.")
    checked: list[Any] = [_corners(polygon, size) for polygon in polygons]
    if not checked:
        return np.zeros(size, dtype=bool)
    return coco.decode(coco.merge(coco.frPyObjects(checked, height, width))).astype(bool)


def _corners(polygon: Any, size: tuple[int, int]) -> list[float]:
    if not isinstance(polygon, Sequence) or isinstance(polygon, str):
        raise ValueError(f"A polygon is a list of numbers x0, y0, x1, y1, ..., got {polygon!r:.100}.")
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(
            f"A polygon has {len(polygon)} values, expected x and y of at least three corners (6, 8, 10, ... values)."
        )
    try:
        corners = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A polygon holds values that are no numbers: {polygon!r:.100}.") from error
    reach = _FARTHEST * max(size)
    if corners.ndim != 1 or not np.isfinite(corners).all() or np.abs(corners).max() > reach:
        raise ValueError(
            f"A polygon has corners far outside its image of {size[1]}x{size[0]} pixels, or none at all: "
            f"{polygon!r:.100}. Expected pixels, x before y."
        )
    return corners.tolist()
