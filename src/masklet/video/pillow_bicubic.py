"""Antialiased bicubic resize of 8-bit images, equal bit for bit to Pillow's ``Image.resize``.

The official video pipeline resizes frames with Pillow, which is no dependency of this package. Pillow computes with
fixed-point weights, one axis after the other, and rounds to 8 bits between the two; torch's ``uint8`` interpolation
uses weights of another precision and differs in up to one pixel of a hundred. The width goes first here, always, as in
the Pillow releases of the time of the published results; Pillow 13 starts with the height where that is less work.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, UInt8

_FRACTION_BITS = 22  # of a weight: 32 less 8 for the sample and 2 for overshoot
_RADIUS = 2.0  # of the cubic kernel, in source pixels when enlarging
_SHARPNESS = -0.5


def resize_pillow_bicubic(image: UInt8[np.ndarray, "h w c"], size: tuple[int, int]) -> UInt8[np.ndarray, "H W c"]:
    """Resize to ``size`` (height, width) as Pillow's default filter does.

    Parity: ``PIL.Image.resize`` as used by ``_load_img_as_tensor`` (sam2/utils/misc.py:92-101).
    """
    height, width = size
    if image.shape[1] != width:
        image = _resize_rows(np.ascontiguousarray(image.transpose(1, 0, 2)), width).transpose(1, 0, 2)
    if image.shape[0] != height:
        image = _resize_rows(np.ascontiguousarray(image), height)
    return np.ascontiguousarray(image)


def _resize_rows(image: UInt8[np.ndarray, "n m c"], length: int) -> UInt8[np.ndarray, "N m c"]:
    source, weight = _taps(image.shape[0], length)
    total = np.full((length, *image.shape[1:]), 1 << (_FRACTION_BITS - 1), dtype=np.int32)
    for tap in range(source.shape[1]):
        total += image[source[:, tap]] * weight[:, tap, None, None]
    total >>= _FRACTION_BITS
    return np.clip(total, 0, 255, out=total).astype(np.uint8)


@lru_cache(maxsize=16)
def _taps(source_length: int, length: int) -> tuple[Int[np.ndarray, "N k"], Int[np.ndarray, "N k"]]:
    """Source index and fixed-point weight of every tap of every output sample; weight 0 beyond the border."""
    step = source_length / length
    stretch = max(step, 1.0)
    support = _RADIUS * stretch
    center = (np.arange(length) + 0.5) * step
    first = np.maximum((center - support + 0.5).astype(np.int64), 0)
    last = np.minimum((center + support + 0.5).astype(np.int64), source_length)
    offset = np.arange(math.ceil(support) * 2 + 1)
    inside = offset < (last - first)[:, None]
    distance = (offset + (first - center)[:, None] + 0.5) * (1.0 / stretch)
    weight = np.where(inside, _cubic(distance), 0.0)
    weight /= weight.cumsum(axis=1)[:, -1:]  # summed from left to right, as the reference does
    fixed = np.trunc(weight * (1 << _FRACTION_BITS) + np.copysign(0.5, weight)).astype(np.int32)
    source = np.minimum(first[:, None] + offset, source_length - 1)
    return source, fixed


def _cubic(x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    x, a = np.abs(x), _SHARPNESS
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))
