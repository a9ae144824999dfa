"""Which of many objects should be followed no longer: those that are lost, and those that became another one's double.

What is remembered here follows from the last ``memory`` frames, so that a run that is resumed finds it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from pycocotools import mask as coco

from ..masks.rle import area
from .masklet_options import MaskletOptions
from .results import ObjectResult


class Lives:
    """Counts, for each object, frames in which it was not seen, and for each two, frames in which they were one.

    Args:
        options: When an object ends.
    """

    def __init__(self, options: MaskletOptions) -> None:
        self._options = options
        self.memory = max(options.patience, options.window)
        self._unseen: dict[int, int] = {}
        self._confidence: dict[int, deque[float]] = {}
        self._together: dict[tuple[int, int], int] = {}

    def observe(self, frame: Mapping[int, ObjectResult]) -> None:
        """Take the next frame: the objects that were followed to it, with their masks at the video's size."""
        kept = {i: self._confidence.get(i, deque(maxlen=self._options.window)) for i in frame}
        for i, one in frame.items():
            kept[i].append(one.confidence)
        seen = [i for i, one in frame.items() if is_seen(one, self._options)]
        self._unseen = {i: 0 if i in seen else self._unseen.get(i, 0) + 1 for i in frame}
        self._confidence = kept
        same = np.triu(overlaps([frame[i].rle() for i in seen]) > self._options.most_overlap, 1)
        pairs = [(seen[a], seen[b]) for a, b in np.argwhere(same).tolist()]
        self._together = {pair: self._together.get(pair, 0) + 1 for pair in map(_ordered, pairs)}

    def ends(self, t: int) -> dict[int, int]:
        """Objects that should end after frame ``t``, which was taken last, and the last frame of each."""
        options = self._options
        last = {i: t - count for i, count in self._unseen.items() if count >= options.patience}
        sure = sorted(self._unseen.keys() - last.keys(), key=lambda i: (-float(np.mean(self._confidence[i])), i))
        staying: list[int] = []
        for i in sure:
            if any(self._together.get(_ordered((i, k)), 0) >= options.window for k in staying):
                last[i] = t - options.window
            else:
                staying.append(i)
        return last


def is_seen(one: ObjectResult, options: MaskletOptions) -> bool:
    """Whether an object counts as seen on a frame."""
    return one.present and one.confidence >= options.least_confidence and area(one.rle()) > 0


def overlaps(masks: Sequence[Mapping[str, Any]]) -> Float[np.ndarray, "n n"]:
    """IoU of masks of one frame with each other."""
    plain: Any = list(masks)
    return np.asarray(coco.iou(plain, plain, [0] * len(masks))).reshape(len(masks), len(masks))


def _ordered(pair: tuple[int, int]) -> tuple[int, int]:
    return min(pair), max(pair)
