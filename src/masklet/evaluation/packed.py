"""J and F on masks packed to one bit a pixel: what ``metrics`` defines, in a fraction of the time.

The rows of a mask lie end to end in 64-bit words, with spare zeros between them. Moving the whole string by a bit
compares all pixels with their neighbours at once, moving it by a row those below, and a disk is a few runs of bits.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, UInt64

_WORD = 64


def pack(masks: Bool[np.ndarray, "n h w"]) -> UInt64[np.ndarray, "n h words"]:
    """Bit ``x % 64`` of word ``x // 64`` of a row is its pixel ``x``; bits after the last pixel are 0."""
    count, height, width = masks.shape
    packed = np.zeros((count, height, 8 * -(-width // _WORD)), np.uint8)
    packed[..., : -(-width // 8)] = np.packbits(masks, axis=2, bitorder="little")
    return packed.view("<u8")


def scores(
    prediction: UInt64[np.ndarray, "h words"], gt: UInt64[np.ndarray, "h words"], width: int, reach: int
) -> tuple[float, float]:
    """J and F of one packed pair.

    Args:
        prediction: From :func:`pack`.
        gt: From :func:`pack`.
        width: Of the masks, in pixels.
        reach: How far contours may be apart, in pixels.
    """
    either = prediction | gt
    union = _count(either)
    j = _count(prediction & gt) / union if union else 1.0
    if j == 1:
        return 1.0, 1.0
    rows, words = _window(either)
    spare = -(-reach // _WORD)
    stride = words.stop - words.start + spare
    pair = np.zeros((2, len(either[rows]), stride), np.uint64)
    pair[0, :, :-spare], pair[1, :, :-spare] = prediction[rows, words], gt[rows, words]
    lines = _contours(pair, spare, width - _WORD * words.start)
    n_mine, n_true = _count(lines[0]), _count(lines[1])
    if n_mine == 0 or n_true == 0:
        return j, float(n_mine == n_true)
    found = _moved(lines, reach) & _near(lines, stride, reach)[::-1]
    precision, recall = _count(found[0]) / n_mine, _count(found[1]) / n_true
    return j, 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def _window(either: np.ndarray) -> tuple[slice, slice]:
    """Rows and words with every pixel of the masks and of their contours, which begin a pixel earlier."""
    left, top, width, height = cv2.boundingRect(either.view(np.uint8))  # 8 columns a word
    return slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0) // 8, -(-(left + width) // 8))


def _contours(pair: UInt64[np.ndarray, "2 h words"], spare: int, width: int) -> UInt64[np.ndarray, "2 hwords"]:
    """Each mask's contour as ``metrics.contour`` defines it; ``width`` is that of the image from the first word on."""
    stride = pair.shape[2]
    here = pair.reshape(2, -1)
    right = here >> np.uint64(1)
    right[:, :-1] |= here[:, 1:] << np.uint64(_WORD - 1)
    lines = here ^ right
    lines[:, :-stride] |= here[:, :-stride] ^ right[:, stride:]
    table = lines.reshape(pair.shape)
    word, bit = divmod(width - 1, _WORD)
    if word < stride - spare:
        table[:, :, word] &= ~np.uint64(1 << bit)  # the image's last column: only the lower neighbour counts
    lines[:, :-stride] |= here[:, :-stride] ^ here[:, stride:]
    table[:, :, -spare:] = 0  # what came round from the next row
    return lines


def _near(lines: UInt64[np.ndarray, "2 hwords"], stride: int, reach: int) -> UInt64[np.ndarray, "2 hwords"]:
    """All bits within ``reach`` of a set one, moved on by ``reach`` bits.

    What comes round from the row before ends among the first ``reach`` bits, where a string moved as far has none.
    """
    near = np.zeros_like(lines)
    size = lines.shape[1]
    run, length = lines, 1
    for width, rows in _disk(reach):
        while length < width:
            step = min(length, width - length)
            run = run | _moved(run, step)
            length += step
        centred = _moved(run, reach - width // 2)
        for skip in (stride * row for row in rows):
            near[:, skip:] |= centred[:, : max(size - skip, 0)]
            if skip:
                near[:, :-skip] |= centred[:, skip:]
    return near


@cache
def _disk(radius: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Rows of a disk by their width, narrow first: ``(width, (distances of these rows from the middle ...))``."""
    rows: dict[int, list[int]] = {}
    for row in range(radius, -1, -1):
        rows.setdefault(2 * math.isqrt(radius * radius - row * row) + 1, []).append(row)
    return tuple((width, tuple(each)) for width, each in rows.items())


def _moved(bits: UInt64[np.ndarray, "2 hwords"], by: int) -> UInt64[np.ndarray, "2 hwords"]:
    """Each string moved on by so many bits; what leaves at its end is lost."""
    words, by = divmod(by, _WORD)
    if words:
        bits = np.concatenate([np.zeros((2, words), np.uint64), bits[:, :-words]], axis=1)
    if by == 0:
        return bits
    moved = bits << np.uint64(by)
    moved[:, 1:] |= bits[:, :-1] >> np.uint64(_WORD - by)
    return moved


def _count(bits: np.ndarray) -> int:
    return int(cv2.norm(bits.view(np.uint8), cv2.NORM_HAMMING))
