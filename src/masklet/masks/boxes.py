"""Boxes around masks: ``(x0, y0, x1, y1)`` in pixels, right and bottom edges exclusive.

Edges lie between pixels: a mask of the single pixel in column 4 and row 7 has the box ``(4, 7, 5, 8)``, so ``x1 - x0``
is the width and ``image[y0:y1, x0:x1]`` is the crop.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor


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


def boxes_of_masks(masks: Bool[Tensor, "n h w"]) -> Int[Tensor, "n 4"]:
    """Tightest box around each mask of a stack, on its device; zeros (no area) for an empty mask.

    Raises:
        ValueError: The tensor is not three-dimensional.
    """
    if masks.ndim != 3:
        raise ValueError(f"Expected a stack of masks (n, height, width), got shape {tuple(masks.shape)}.")
    if masks.numel() == 0:
        return torch.zeros(masks.shape[0], 4, dtype=torch.int64, device=masks.device)
    masks = masks != 0
    columns, rows = masks.any(dim=1).to(torch.uint8), masks.any(dim=2).to(torch.uint8)  # [n w] and [n h]
    first_column, first_row = columns.argmax(dim=1), rows.argmax(dim=1)
    last_column = columns.shape[1] - columns.flip(1).argmax(dim=1)
    last_row = rows.shape[1] - rows.flip(1).argmax(dim=1)
    boxes = torch.stack([first_column, first_row, last_column, last_row], dim=1)  # [n 4]
    return boxes * rows.any(dim=1)[:, None]
