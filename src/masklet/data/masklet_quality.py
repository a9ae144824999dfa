"""Expected quality of automatic masklets, from what their masks and scores say, without truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool

from ..masks import rle
from ..masks.over_time import Track
from .masklet_file import MaskletFile

_EDGE = 2  # pixels within which a mask touches the border


@dataclass(frozen=True)
class Quality:
    """Measures of one masklet over the annotated frames; shares are 0..1.

    Attributes:
        object_id: The masklet.
        first: First frame on which it is visible.
        last: Last one.
        visible: Number of annotated frames on which it is visible.
        presence: Share of the annotated frames from the first on.
        stability: Mean IoU of its masks with themselves at a higher and a lower threshold; None: not known.
        consistency: Mean IoU of its mask with the one before, centre laid on centre; 1 where there is one mask.
        area: Mean share of the frame.
        edge: Share of its masks that touch the border.
    """

    object_id: int
    first: int
    last: int
    visible: int
    presence: float
    stability: float | None
    consistency: float
    area: float
    edge: float

    @property
    def score(self) -> float:
        """Expected quality, 0..1: the geometric mean of presence, stability where it is known, and consistency."""
        known = [one for one in (self.presence, self.stability, self.consistency) if one is not None]
        return float(np.prod(known) ** (1 / len(known)))


def measure(file: MaskletFile) -> list[Quality]:
    """Measures of the masklets of a video that are visible at all, in the file's order."""
    return [_of(i, track, file) for i, track in file.tracks.items() if track]


def _of(object_id: int, track: Track, file: MaskletFile) -> Quality:
    times = sorted(track)
    known = file.stability.get(object_id)
    after = sum(t >= times[0] for t in file.times)
    height, width = file.size
    return Quality(
        object_id=object_id,
        first=times[0],
        last=times[-1],
        visible=len(times),
        presence=len(times) / after,
        stability=None if known is None else float(np.mean([known[t] for t in times])),
        consistency=consistency(track),
        area=float(np.mean([rle.area(one) for one in track.values()])) / (height * width),
        edge=float(np.mean([_touches(one, file.size) for one in track.values()])),
    )


def consistency(track: Track) -> float:
    """Mean IoU of each mask with the one before, centre on centre: how well the shape is kept while it moves."""
    shapes = [_cut_out(rle.decode(track[t])) for t in sorted(track)]
    ious = [_centred_iou(a, b) for a, b in pairwise(shapes)]
    return float(np.mean(ious)) if ious else 1.0


Shape = tuple[Bool[np.ndarray, "_ _"], int, int]
"""What a mask's box holds, and row and column of the centre of mass in it."""


def _cut_out(mask: Bool[np.ndarray, "h w"]) -> Shape:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    down, across = (side / np.count_nonzero(window) for side in (window.sum(1), window.sum(0)))
    return window, round(float(np.arange(len(down)) @ down)), round(float(np.arange(len(across)) @ across))


def _centred_iou(one: Shape, other: Shape) -> float:
    top, left = max(one[1], other[1]), max(one[2], other[2])
    bottom, right = (max(shape[0].shape[k] - shape[k + 1] for shape in (one, other)) for k in (0, 1))
    laid = np.zeros((2, top + bottom, left + right), bool)
    for canvas, (window, row, column) in zip(laid, (one, other), strict=True):
        height, width = window.shape
        canvas[top - row : top - row + height, left - column : left - column + width] = window
    return float(np.count_nonzero(laid.all(0)) / np.count_nonzero(laid.any(0)))


def _touches(one: rle.Rle, size: tuple[int, int]) -> bool:
    x, y, width, height = rle.box(one)
    return min(x, y) <= _EDGE or x + width >= size[1] - _EDGE or y + height >= size[0] - _EDGE
