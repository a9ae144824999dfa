"""Which masklets move otherwise than the camera, from the pictures of their video."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from jaxtyping import Bool

from ..masks import rle
from ..masks.over_time import Track
from ..video.flow import flow_to, grey
from ..video.own_motion import own_motion
from .records import Picture

SIDE = 256
"""Longer side in pixels of the frames that motion is measured on."""


def motion_of(tracks: Mapping[int, Track], frames: int, picture: Callable[[int], Picture]) -> dict[int, float]:
    """How far masklets move from a frame to the next beyond what the camera does, as a share of the longer side.

    The median over a mask's pixels, then the ninth decile over its frames: what moves at some time is not still. Taken
    from neighbours, as over four frames the flow of fast videos is wrong. Costs a flow a frame with masks.

    Args:
        tracks: Masks of each masklet.
        frames: Number of frames of the video; of a single one there is no motion, and nothing is said.
        picture: Gives a frame, RGB.
    """
    found: dict[int, list[float]] = {}
    for t in sorted({t for track in tracks.values() for t in track}) if frames > 1 else ():
        beside = t + 1 if t + 1 < frames else t - 1
        now = grey(picture(t), SIDE)
        moved = own_motion(flow_to(grey(picture(beside), SIDE), now))
        for i, track in tracks.items():
            mask = _small(track[t], now.shape) if t in track else np.zeros(0, bool)
            if mask.any():
                found.setdefault(i, []).append(float(np.median(moved[mask])) / max(now.shape))
    return {i: float(np.percentile(values, 90)) for i, values in found.items()}


def _small(code: rle.Rle, shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    soft = cv2.resize(rle.decode(code).astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(soft > 0.5)
