"""Boxes around masks: ``(x0, y0, x1, y1)`` in pixels, right and bottom edges exclusive.

Edges lie between pixels: a mask of the single pixel in column 4 and row 7 has the box ``(4, 7, 5, 8)``, so ``x1 - x0``
is the width and ``image[y0:y1, x0:x1]`` is the crop.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool


def box_of_mask(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int] | None:
    """Tightest box around a mask, or None when the mask is empty.

    Raises:
        ValueError: The array is not two-dimensional.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"Expected one mask (height, width), got an array of shape {mask.shape}.")
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
