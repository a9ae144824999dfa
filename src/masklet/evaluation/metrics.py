"""J and F of the DAVIS benchmark: overlap of regions and agreement of contours, frame by frame and as means."""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float64

BOUNDARY_TOLERANCE = 0.008
"""How far a contour may be off, as a share of the image's diagonal."""


def jaccard(
    prediction: Bool[np.ndarray, "*batch h w"], gt: Bool[np.ndarray, "*batch h w"]
) -> Float64[np.ndarray, "*batch"]:
    """Intersection over union (J) of every pair of masks; 1 where both are empty.

    Raises:
        ValueError: The two differ in shape or are not boolean.
    """
    _check(prediction, gt)
    area = prediction.shape[-2] * prediction.shape[-1]
    a, b = prediction.reshape(-1, area), gt.reshape(-1, area)
    both = np.count_nonzero(a & b, axis=1)
    either = np.count_nonzero(a, axis=1) + np.count_nonzero(b, axis=1) - both
    return np.where(either == 0, 1.0, both / np.maximum(either, 1)).reshape(prediction.shape[:-2])


def boundary_f(
    prediction: Bool[np.ndarray, "h w"], gt: Bool[np.ndarray, "h w"], tolerance: float = BOUNDARY_TOLERANCE
) -> float:
    """Boundary F-measure (F): share of each contour that lies near the other one, as a harmonic mean.

    Near means within ``ceil(tolerance * diagonal)`` pixels, Euclidean. A contour with no pixel (an empty mask, or one
    that fills the image) against another without any gives 1, against a visible one 0.
    Source: DAVIS 2017 evaluation, boundary measure.

    Raises:
        ValueError: The two differ in shape or are not boolean.
    """
    _check(prediction, gt)
    reach = math.ceil(tolerance * math.hypot(*gt.shape))
    mine, true = contour(prediction), contour(gt)
    n_mine, n_true = np.count_nonzero(mine), np.count_nonzero(true)
    if n_mine == 0 or n_true == 0:
        return float(n_mine == n_true)
    window = _window(mine | true)
    mine, true = mine[window].view(np.uint8), true[window].view(np.uint8)
    disk = _disk(reach)
    precision = cv2.countNonZero(cv2.bitwise_and(cv2.dilate(true, disk), mine)) / n_mine
    recall = cv2.countNonZero(cv2.bitwise_and(cv2.dilate(mine, disk), true)) / n_true
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def contour(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """One-pixel contour: pixels that differ from their right, lower or lower right neighbour.

    In the last row only the right, in the last column only the lower neighbour counts; the last pixel is never one.
    """
    line = np.zeros_like(mask)
    here = mask[:-1, :-1]
    line[:-1, :-1] = (here ^ mask[:-1, 1:]) | (here ^ mask[1:, :-1]) | (here ^ mask[1:, 1:])
    line[-1, :-1] = mask[-1, :-1] ^ mask[-1, 1:]
    line[:-1, -1] = mask[:-1, -1] ^ mask[1:, -1]
    return line


def _disk(radius: int) -> np.ndarray:
    offset = np.arange(-radius, radius + 1)
    return (offset[:, None] ** 2 + offset[None] ** 2 <= radius * radius).astype(np.uint8)


def _window(line: Bool[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """Smallest window with every set pixel: pixels outside it match nothing and need no dilation."""
    rows, columns = np.flatnonzero(line.any(axis=1)), np.flatnonzero(line.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _check(prediction: np.ndarray, gt: np.ndarray) -> None:
    if prediction.shape != gt.shape or gt.ndim < 2:
        raise ValueError(f"expected masks of one shape, got {prediction.shape} and {gt.shape}: resize one of them")
    if prediction.dtype != np.bool_ or gt.dtype != np.bool_:
        raise ValueError(f"expected boolean masks, got {prediction.dtype} and {gt.dtype}: compare with 0 first")
