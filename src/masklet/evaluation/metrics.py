"""J and F of the DAVIS benchmark: overlap of regions and agreement of contours, frame by frame and as means."""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float64

from . import packed

BOUNDARY_TOLERANCE = 0.008
"""How far a contour may be off, as a share of the image's diagonal."""


def jaccard(
    prediction: Bool[np.ndarray, "*batch h w"],
    gt: Bool[np.ndarray, "*batch h w"],
    void: Bool[np.ndarray, "*#batch h w"] | None = None,
) -> Float64[np.ndarray, "*batch"]:
    """Intersection over union (J) of every pair of masks; 1 where both are empty. The mean over masks is mIoU.

    Args:
        prediction: Masks to be scored.
        gt: True masks.
        void: Pixels that count as outside of both masks.

    Raises:
        ValueError: The masks differ in shape or are not boolean.
    """
    prediction, gt = _checked(prediction, gt, void)
    area = prediction.shape[-2] * prediction.shape[-1]
    a, b = prediction.reshape(-1, area), gt.reshape(-1, area)
    both, either = (np.array([np.count_nonzero(mask) for mask in masks], np.int64) for masks in (a & b, a | b))
    return np.where(either == 0, 1.0, both / np.maximum(either, 1)).reshape(prediction.shape[:-2])


def boundary_f(
    prediction: Bool[np.ndarray, "h w"], gt: Bool[np.ndarray, "h w"], void: Bool[np.ndarray, "h w"] | None = None
) -> float:
    """Boundary F-measure (F): share of each contour that lies near the other one, as a harmonic mean.

    Near means within :func:`reach` pixels, Euclidean. A contour with no pixel (an empty mask, or one that fills the
    image) against another without any gives 1, against a visible one 0. This is the definition to be read;
    :func:`frame_scores` gives the same several times faster.
    Source: DAVIS 2017 evaluation, boundary measure.

    Args:
        prediction: Mask to be scored.
        gt: True mask.
        void: Pixels that count as outside of both masks: a mask that runs into them has a contour there.

    Raises:
        ValueError: The masks differ in shape or are not boolean.
    """
    prediction, gt = _checked(prediction, gt, void)
    mine, true = contour(prediction), contour(gt)
    n_mine, n_true = np.count_nonzero(mine), np.count_nonzero(true)
    if n_mine == 0 or n_true == 0:
        return float(n_mine == n_true)
    disk = _disk(reach(*gt.shape))
    precision = np.count_nonzero(cv2.dilate(true.view(np.uint8), disk) & mine) / n_mine
    recall = np.count_nonzero(cv2.dilate(mine.view(np.uint8), disk) & true) / n_true
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def frame_scores(
    prediction: Bool[np.ndarray, "n h w"],
    gt: Bool[np.ndarray, "n h w"],
    void: Bool[np.ndarray, "h w"] | None = None,
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """J and F of the objects of one frame: exactly :func:`jaccard` and :func:`boundary_f`, computed on packed bits.

    Args:
        prediction: Mask of each object; of a label map, ``labels == ids[:, None, None]``.
        gt: Its true mask.
        void: Pixels that count as outside of all masks.

    Raises:
        ValueError: The masks differ in shape or are not boolean.
    """
    prediction, gt = _checked(prediction, gt, void)
    height, width = gt.shape[1:]
    pairs = zip(packed.pack(prediction), packed.pack(gt), strict=True)
    scores = [packed.scores(mine, true, width, reach(height, width)) for mine, true in pairs]
    j, f = np.array(scores, np.float64).reshape(-1, 2).T
    return j, f


def reach(height: int, width: int) -> int:
    """How many pixels a contour may be off in an image of this size."""
    # Parity: davis2017 metrics.py, f_measure: the root of the exact sum, which hypot may miss by its last bit.
    return math.ceil(BOUNDARY_TOLERANCE * math.sqrt(height * height + width * width))


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


def _checked(prediction: np.ndarray, gt: np.ndarray, void: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Both masks without void pixels."""
    if prediction.shape != gt.shape or gt.ndim < 2:
        raise ValueError(f"expected masks of one shape, got {prediction.shape} and {gt.shape}: resize one of them")
    if prediction.dtype != np.bool_ or gt.dtype != np.bool_:
        raise ValueError(f"expected boolean masks, got {prediction.dtype} and {gt.dtype}: compare with 0 first")
    if void is None:
        return prediction, gt
    if void.shape[-2:] != gt.shape[-2:] or void.dtype != np.bool_:
        raise ValueError(f"expected a boolean void of shape {gt.shape}, got {void.dtype} of shape {void.shape}")
    return prediction & ~void, gt & ~void
