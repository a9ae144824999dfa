"""How masks of one image lie in each other, and one map of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from pycocotools import mask as coco

from . import rle
from .rle import Rle


@dataclass(frozen=True)
class Nest:
    """Where a mask lies; indices of masks, None: nowhere.

    Attributes:
        part_of: The smallest larger mask that shares nearly all of its pixels.
        inside: The smallest mask around it that has a hole there, as a wall around a picture.
    """

    part_of: int | None
    inside: int | None


def hierarchy(rles: Sequence[Rle], *, share: float = 0.9) -> list[Nest]:
    """Find for each mask what it is part of and what it lies in.

    Args:
        rles: Masks of one image with compressed counts; of equal ones the later counts as part of the earlier.
        share: Of a mask's pixels that must be in the other, filled where holes count.
    """
    if not rles:
        return []
    areas = np.array([rle.area(one) for one in rles])
    filled = [_filled(one) for one in rles]
    spans = np.array([rle.area(one) for one in filled])
    rank = np.empty(len(rles), int)  # from small to large, of equal ones the later first
    rank[np.lexsort((-np.arange(len(rles)), areas))] = np.arange(len(rles))
    shared = _shares(rles, rles) >= share
    around = (_shares(rles, filled) >= share) & ~shared & (spans > areas[:, None])
    shared &= rank > rank[:, None]
    return [Nest(_smallest(s, rank), _smallest(a, spans)) for s, a in zip(shared, around, strict=True)]


def label_map(rles: Sequence[Rle], size: tuple[int, int]) -> Int[np.ndarray, "h w"]:
    """One more than the index of the smallest mask at each pixel, 0 where there is none.

    Args:
        rles: Masks of one image.
        size: Its height and width.
    """
    labels = np.zeros(size, np.int32)
    areas = [rle.area(one) for one in rles]
    for k in sorted(range(len(rles)), key=lambda k: (-areas[k], k)):
        labels[rle.decode(rles[k])] = k + 1
    return labels


def _smallest(among: Bool[np.ndarray, " n"], sizes: Int[np.ndarray, " n"]) -> int | None:
    found = np.flatnonzero(among)
    return int(found[sizes[found].argmin()]) if len(found) else None


def _shares(masks: Sequence[Rle], others: Sequence[Rle]) -> Float[np.ndarray, "n m"]:
    """Share of each mask's pixels (rows) that lies in each other."""
    of: Any = list(masks)
    within: Any = list(others)
    return np.asarray(coco.iou(of, within, [1] * len(others))).reshape(len(masks), len(others))


def _filled(one: Rle) -> Rle:
    """The mask without its holes."""
    mask = np.ascontiguousarray(rle.decode(one), np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return rle.encode(cv2.drawContours(mask, outlines, -1, 1, cv2.FILLED) > 0)
