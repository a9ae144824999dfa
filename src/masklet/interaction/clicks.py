"""Simulated clicks and boxes: what a user would do, made from the true mask and the answer so far.

Points are ``(x, y)`` indices of pixels of the given mask: the middle of pixel 0 is at 0. Whoever simulates on masks of
another scale than the model's input maps them with ``(x + 0.5) * scale - 0.5``.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64

NEGATIVE, POSITIVE = 0, 1


def center_click(
    gt: Bool[np.ndarray, "h w"], prediction: Bool[np.ndarray, "h w"] | None = None
) -> tuple[tuple[float, float], int]:
    """Click where the answer is most wrong: in the middle of the missed or of the wrongly added area.

    The middle is the pixel farthest (Euclidean) from what is not in the area, the outside of the image included. The
    missed area gets a positive click if its middle lies strictly deeper than that of the added area, else the added
    area a negative one. Without a prediction this is the middle of the object. Without any error it is a negative
    click in the middle of the background, or a positive one where there is no background.
    Source: SAM 2 paper, appendix E.1.2.

    Returns:
        ``(x, y)`` in pixels and the label (1 positive, 0 negative).

    Raises:
        ValueError: The two masks differ in shape, or are not boolean maps.
    """
    points, labels = center_clicks(gt[None], None if prediction is None else prediction[None])
    return (float(points[0, 0]), float(points[0, 1])), int(labels[0])


def random_click(
    gt: Bool[np.ndarray, "h w"], prediction: Bool[np.ndarray, "h w"] | None, rng: np.random.Generator
) -> tuple[tuple[float, float], int]:
    """Click on a pixel drawn uniformly from the error (missed and wrongly added pixels together).

    Without a prediction the click falls on the object; without any error it is a negative click on the background, or
    a positive one where there is no background.

    Returns:
        ``(x, y)`` in pixels and the label (1 positive, 0 negative).

    Raises:
        ValueError: The two masks differ in shape, or are not boolean maps.
    """
    points, labels = random_clicks(gt[None], None if prediction is None else prediction[None], rng)
    return (float(points[0, 0]), float(points[0, 1])), int(labels[0])


def center_clicks(
    gt: Bool[np.ndarray, "n h w"], prediction: Bool[np.ndarray, "n h w"] | None = None
) -> tuple[Float32[np.ndarray, "n 2"], Int64[np.ndarray, " n"]]:
    """The click of :func:`center_click` for every mask of a batch.

    Raises:
        ValueError: The two batches differ in shape, or are not boolean.
    """
    _check(gt, prediction)
    points = np.empty((len(gt), 2), np.float32)
    labels = np.empty(len(gt), np.int64)
    for i, mask in enumerate(gt):
        if prediction is None:
            missed, added = _deepest(mask), (0.0, (0, 0))
        else:
            missed, added = _deepest(mask & ~prediction[i]), _deepest(prediction[i] & ~mask)
        if missed[0] == added[0] == 0.0:
            missed, added = (0.0, (0, 0)), _deepest(~mask)
            if added[0] == 0.0:
                missed = _deepest(mask)
        labels[i] = POSITIVE if missed[0] > added[0] else NEGATIVE
        points[i] = missed[1] if labels[i] == POSITIVE else added[1]
    return points, labels


def random_clicks(
    gt: Bool[np.ndarray, "n h w"], prediction: Bool[np.ndarray, "n h w"] | None, rng: np.random.Generator
) -> tuple[Float32[np.ndarray, "n 2"], Int64[np.ndarray, " n"]]:
    """The click of :func:`random_click` for every mask of a batch; one integer is drawn for each mask.

    Raises:
        ValueError: The two batches differ in shape, or are not boolean.
    """
    _check(gt, prediction)
    n, _, width = gt.shape
    flat = gt.reshape(n, -1)
    error = flat.copy() if prediction is None else flat ^ prediction.reshape(n, -1)
    counts = np.count_nonzero(error, axis=1)
    for i in np.flatnonzero(counts == 0):
        error[i] = True if flat[i].all() else ~flat[i]
        counts[i] = np.count_nonzero(error[i])
    pixels = np.flatnonzero(error)  # sorted, so the pixels of one mask are together
    start = np.cumsum(counts) - counts
    chosen = pixels[start + rng.integers(counts)] - np.arange(n) * flat.shape[1]
    points = np.stack([chosen % width, chosen // width], axis=1).astype(np.float32)
    return points, flat[np.arange(n), chosen].astype(np.int64)


def box_of(
    gt: Bool[np.ndarray, "h w"], rng: np.random.Generator | None = None, noise: float = 0.1, limit: float = 20.0
) -> Float32[np.ndarray, 4]:
    """Box around a mask, shaken when a generator is given.

    Args:
        gt: Mask with at least one pixel.
        rng: Source of the noise; None gives the exact box.
        noise: Largest shift of an edge, as a share of the box's side in that direction.
        limit: Largest shift of an edge in pixels.

    Returns:
        ``(x0, y0, x1, y1)``, the first and last pixel index covered (both inside), clamped to the image.

    Raises:
        ValueError: The mask is empty or not a boolean map.
    """
    return boxes_of(gt[None], rng, noise, limit)[0]


def boxes_of(
    gt: Bool[np.ndarray, "n h w"], rng: np.random.Generator | None = None, noise: float = 0.1, limit: float = 20.0
) -> Float32[np.ndarray, "n 4"]:
    """The box of :func:`box_of` for every mask of a batch.

    Raises:
        ValueError: A mask is empty, or the batch is not boolean.
    """
    _check(gt, None)
    height, width = gt.shape[1:]
    columns, rows = np.logical_or.reduce(gt, axis=1), np.logical_or.reduce(gt, axis=2)
    empty = np.flatnonzero(~rows.any(axis=1))
    if len(empty):
        raise ValueError(f"a box needs a mask with at least one pixel; mask {empty[0]} of {len(gt)} is empty: drop it")
    x0, x1 = columns.argmax(axis=1), width - 1 - columns[:, ::-1].argmax(axis=1)
    y0, y1 = rows.argmax(axis=1), height - 1 - rows[:, ::-1].argmax(axis=1)
    boxes = np.stack([x0, y0, x1, y1], axis=1).astype(np.float32)
    if rng is None:
        return boxes
    reach = np.minimum((boxes[:, 2:] - boxes[:, :2]) * noise, limit)
    boxes += rng.uniform(-1.0, 1.0, boxes.shape).astype(np.float32) * np.tile(reach, 2)
    last = np.array([width - 1, height - 1] * 2, np.float32)
    return np.clip(boxes, np.float32(0), last)


def _deepest(region: Bool[np.ndarray, "h w"]) -> tuple[float, tuple[int, int]]:
    """Largest distance to the outside of a region and the first pixel ``(x, y)`` in row order that has it.

    Only the region's bounding box is transformed: with one ring of zeros around it every distance stays exact,
    because the nearest outside pixel beyond the ring has a nearer one in the ring.
    """
    rows = np.logical_or.reduce(region, axis=1)
    top = int(rows.argmax())
    if not rows[top]:
        return 0.0, (0, 0)
    bottom = len(rows) - int(rows[::-1].argmax())
    columns = np.logical_or.reduce(region[top:bottom], axis=0)
    left, right = int(columns.argmax()), len(columns) - int(columns[::-1].argmax())
    padded = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
    padded[1:-1, 1:-1] = region[top:bottom, left:right]
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    best = int(depth.argmax())
    y, x = divmod(best, depth.shape[1])
    return float(depth[y, x]), (left + x - 1, top + y - 1)


def _check(gt: np.ndarray, prediction: np.ndarray | None) -> None:
    if gt.dtype != np.bool_ or gt.ndim != 3 or 0 in gt.shape[1:]:
        raise ValueError(f"expected boolean masks with pixels, got {gt.dtype} of shape {gt.shape}: threshold them")
    if prediction is not None and (prediction.dtype != np.bool_ or prediction.shape != gt.shape):
        raise ValueError(
            f"expected a boolean prediction of shape {gt.shape} like the true mask, "
            f"got {prediction.dtype} of shape {prediction.shape}: resize and threshold it first"
        )
