"""How much masks agree over time: IoU of every track of masks with every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from pycocotools import mask as coco

from .rle import Rle

Track = Mapping[int, Rle]
"""Masks of one object by frame, of one size and with compressed counts; no entry: not visible."""


@dataclass(frozen=True)
class Agreement:
    """Sums over the frames, a row for each of some tracks and a column for each of others.

    Attributes:
        iou: Of the IoU of the two.
        both: Frames on which both are visible.
        either: Frames on which at least one is.
    """

    iou: Float[np.ndarray, "n m"]
    both: Int[np.ndarray, "n m"]
    either: Int[np.ndarray, "n m"]

    @property
    def mean_iou(self) -> Float[np.ndarray, "n m"]:
        """Mean over the frames on which at least one is visible: to be seen where the other is not counts as 0."""
        return self.iou / np.maximum(self.either, 1)

    @property
    def shared_iou(self) -> Float[np.ndarray, "n m"]:
        """Mean over the frames on which both are visible, 0 where there is none."""
        return self.iou / np.maximum(self.both, 1)


def agreement(tracks: Sequence[Track], others: Sequence[Track]) -> Agreement:
    """Compare tracks with others, frame by frame and without decoding masks.

    Args:
        tracks: Rows.
        others: Columns.
    """
    iou = np.zeros((len(tracks), len(others)))
    both, either = np.zeros(iou.shape, int), np.zeros(iou.shape, int)
    for t in sorted({t for track in (*tracks, *others) for t in track}):
        rows, columns = (np.array([t in track for track in side], bool) for side in (tracks, others))
        either += rows[:, None] | columns
        both += rows[:, None] & columns
        if rows.any() and columns.any():
            iou[np.ix_(rows, columns)] += _ious(
                [track[t] for track in tracks if t in track], [track[t] for track in others if t in track]
            )
    return Agreement(iou, both, either)


def _ious(masks: list[Any], others: list[Any]) -> Float[np.ndarray, "n m"]:
    return np.asarray(coco.iou(masks, others, [0] * len(others))).reshape(len(masks), len(others))
