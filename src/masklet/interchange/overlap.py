"""Masks of which no two share a pixel, for formats that give a pixel to one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..masks import rle
from ..masks.rle import Rle
from .losses import Losses
from .video_masks import VideoMasks


def frames_apart(video: VideoMasks, losses: Losses) -> Iterator[tuple[int, dict[int, Rle]]]:
    """The annotated frames of a video in order, the lower id keeping pixels that objects share.

    An object that others hide wholly has no mask then.
    """
    for frame, masks in video.masks.items():
        overlaps = len(masks) > 1 and rle.area(rle.union(masks.values())) < sum(map(rle.area, masks.values()))
        if overlaps:
            losses.add("overlap", video, f"frame {frame}")
        yield frame, _apart(masks) if overlaps else dict(masks)


def _apart(masks: Mapping[int, Rle]) -> dict[int, Rle]:
    free, kept = None, {}
    for number in sorted(masks):
        mask = rle.decode(masks[number])
        free = np.ones_like(mask) if free is None else free
        if (mask & free).any():
            kept[number] = rle.encode(mask & free)
        free &= ~mask
    return kept
