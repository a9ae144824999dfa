"""Whether masks moved as the picture did: their overlap with the masks before, carried along by optical flow.

It is computed when it is asked for and kept nowhere: it is about two masks, so that a later correction of either would
make a kept value wrong, and what it needs is kept anyway, masks in the tracks and pixels in the source. That works for
files at any time, and live while the last few frames can still be looked at, so that neither tracking nor undo nor
saved sessions know of it. One flow a frame serves all objects: about 8 ms on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from jaxtyping import Bool, Float

from ..video.flow import flow_to, grey, warp
from ..video.frames import FrameSource
from ..video.live import LiveFrames
from .results import FrameResult
from .track import ObjectTrack

SIDE = 256
"""Longer side of the frames that flow is computed on. With 384 flow takes 12 ms instead of 7 and tells no more."""


def consistency(
    t: int,
    tracks: Mapping[int, ObjectTrack],
    source: FrameSource | LiveFrames,
    shown: Callable[[int], FrameResult],
) -> dict[int, float]:
    """Overlap (IoU, 0..1) of each object's mask with its mask on the frame before, moved by the flow between them.

    The frame before is the one from which tracking came: the next one for an object that was tracked backward. Objects
    of which one of the two masks is not known are left out; where an object is on neither frame it is 1.

    Args:
        t: The frame.
        tracks: The objects.
        source: The video.
        shown: What was shown of a frame.

    Raises:
        IndexError: A frame of a live video can no longer be looked at.
        ValueError: The same of a stream, which cannot go back.
    """
    found: dict[int, float] = {}
    for step in (-1, 1):
        came = [i for i, one in tracks.items() if t in one.notes and one.notes[t].reverse == (step > 0)]
        came = [i for i in came if t + step in tracks[i].notes]
        if not came:
            continue
        before, now = shown(t + step), shown(t)
        pictures = grey(source.frame(t + step), SIDE), grey(source.frame(t), SIDE)
        flow = flow_to(*pictures)
        for i in came:
            if i in before and i in now:
                moved = warp(_soft(before[i].mask, flow), flow) >= 0.5
                found[i] = _overlap(moved, _soft(now[i].mask, flow) >= 0.5)
    return {i: found[i] for i in tracks if i in found}


def _soft(mask: Bool[np.ndarray, "h w"], flow: Float[np.ndarray, "h2 w2 2"]) -> Float[np.ndarray, "h2 w2"]:
    size = flow.shape[1], flow.shape[0]
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA))


def _overlap(one: Bool[np.ndarray, "h w"], other: Bool[np.ndarray, "h w"]) -> float:
    either = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / either) if either else 1.0
