"""Clean-up of mask logits by connected components: fill small holes, drop small specks."""

from __future__ import annotations

from math import isqrt

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .boxes import box_of_mask
from .rle import Rle, decode, encode_window


def fill_small_holes(logits: Float[Tensor, "b 1 h w"], max_area: int, value: float = 0.1) -> Float[Tensor, "b 1 h w"]:
    """Set background components of at most ``max_area`` pixels to ``value``, a logit just inside the mask.

    Components are 8-connected regions of ``logits <= 0``, at the resolution of the logits. The input is not changed; it
    is returned itself when nothing is to be done.

    Parity: same rule as ``fill_holes_in_mask_scores`` (sam2/utils/misc.py:312-338), on every device.

    Raises:
        ValueError: The logits are not ``b 1 h w``.
    """
    return _overwrite_small(logits, logits <= 0, max_area, value)


def remove_small_specks(
    logits: Float[Tensor, "b 1 h w"], max_area: int, value: float = -10.0
) -> Float[Tensor, "b 1 h w"]:
    """Set foreground components (8-connected, ``logits > 0``) of at most ``max_area`` pixels to ``value``.

    The input is not changed; it is returned itself when nothing is to be done.

    Raises:
        ValueError: The logits are not ``b 1 h w``.
    """
    return _overwrite_small(logits, logits > 0, max_area, value)


def clean_small(
    logits: Float[Tensor, "b 1 h w"], max_hole_area: int, max_speck_area: int, value: float
) -> Float[Tensor, "b 1 h w"]:
    """Fill small holes with ``value`` and set small specks to its negative, both as they are in the given logits.

    So a speck in a hole that is filled goes, and leaves a hole of its own.

    Parity: sam2/utils/transforms.py:80-106.
    """
    if max_hole_area <= 0 and max_speck_area <= 0:
        return logits
    filled = fill_small_holes(logits, max_hole_area, value)
    return torch.where(logits > 0, remove_small_specks(logits, max_speck_area, -value), filled)


def repair_small_regions(mask: Bool[np.ndarray, "h w"], least_area: int) -> tuple[Bool[np.ndarray, "h w"], bool]:
    """Fill holes, then remove specks of fewer than ``least_area`` pixels (8-connected); the largest speck always stays.

    Returns:
        The mask, and whether anything was too small.

    Parity: sam2/utils/amg.py:273-299 (holes, then islands).
    """
    holes = small_components(~mask, least_area - 1)
    repaired = mask if holes is None else mask | holes
    specks = small_components(repaired, least_area - 1)
    if specks is None:
        return repaired, holes is not None
    if np.array_equal(specks, repaired):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(repaired.astype(np.uint8), connectivity=8)
        return np.asarray(labels) == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), True
    return repaired & ~specks, True


def repair_rle(one: Rle, least_area: int) -> Rle:
    """The same as :func:`repair_small_regions` for a mask as run lengths; costs as much as the mask's box is large."""
    height, width = one["size"]
    mask = decode(one)
    box = box_of_mask(mask)
    if box is None or least_area < 2:
        return one
    x0, y0, x1, y1 = box
    margin = isqrt(least_area) + 1  # so that what lies outside of the box is no small hole of the window either
    left, top = max(x0 - margin, 0), max(y0 - margin, 0)
    window = mask[top : min(y1 + margin, height), left : min(x1 + margin, width)]
    whole = min(height, width) <= margin
    repaired, changed = repair_small_regions(mask if whole else window, least_area)
    if not changed:
        return one
    return encode_window(repaired, (0, 0) if whole else (left, top), (height, width))


def small_components(region: Bool[np.ndarray, "h w"], max_area: int) -> Bool[np.ndarray, "h w"] | None:
    """Pixels of the 8-connected components of ``region`` with at most ``max_area`` pixels; None when there are none."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] <= max_area
    small[0] = False  # label 0 is what lies outside the region
    return small.take(np.asarray(labels, dtype=np.intp)) if small.any() else None


def _overwrite_small(
    logits: Float[Tensor, "b 1 h w"], region: Bool[Tensor, "b 1 h w"], max_area: int, value: float
) -> Float[Tensor, "b 1 h w"]:
    if logits.ndim != 4 or logits.shape[1] != 1:
        raise ValueError(f"Expected mask logits of shape (b, 1, h, w), got {tuple(logits.shape)}.")
    if max_area <= 0 or logits.numel() == 0:
        return logits
    found = [small_components(one, max_area) for one in region[:, 0].cpu().numpy()]
    if all(one is None for one in found):
        return logits
    nothing = np.zeros(logits.shape[-2:], dtype=bool)
    hit = torch.from_numpy(np.stack([nothing if one is None else one for one in found]))[:, None]  # [b 1 h w]
    return logits.masked_fill(hit.to(logits.device), value)
