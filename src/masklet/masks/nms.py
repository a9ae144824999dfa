"""Non-maximum suppression of boxes: of those that overlap much, the one with the highest score stays."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def nms(boxes: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"], most_overlap: float) -> Int[np.ndarray, " k"]:
    """Which boxes stay, by descending score; equal scores in the order given.

    Args:
        boxes: ``(x0, y0, x1, y1)``.
        scores: What is preferred.
        most_overlap: A box goes when its IoU with a better one that stays is above this. Boxes without area overlap
            nothing.

    Parity: torchvision/csrc/ops/cpu/nms_kernel.cpp (areas and IoU in float32, compared in float64).
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    x0, y0, x1, y1 = np.asarray(boxes, np.float32).reshape(-1, 4).T
    area = (x1 - x0) * (y1 - y0)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        width = np.minimum(x1[best], x1[order]) - np.maximum(x0[best], x0[order])
        height = np.minimum(y1[best], y1[order]) - np.maximum(y0[best], y0[order])
        shared = width.clip(min=0) * height.clip(min=0)
        with np.errstate(invalid="ignore"):  # 0 / 0 of two boxes without area is NaN, which is above nothing
            overlap = shared / (area[best] + area[order] - shared)
        order = order[~(overlap.astype(np.float64) > most_overlap)]
    return np.array(kept, np.intp)
