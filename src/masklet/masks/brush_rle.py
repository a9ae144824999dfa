"""Run lengths of Label Studio's brush: the bytes of an RGBA image, packed bit by bit.

The stream starts with the number of bytes (32 bits), the width of a byte less 1 (5 bits) and four widths of counts less
1 (4 bits each). Then come blocks: a bit that says whether one byte is repeated, two bits that choose a width, a count
less 1 of that width, and the byte or bytes.

Source: the format of @thi.ng/rle-pack, which Label Studio uses (facts of its brush converter).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

_WIDTHS = (3, 4, 8, 16)
_CHANNELS = 4
_INSIDE = 128  # alpha from which a painted pixel counts


def encode_brush(mask: Bool[np.ndarray, "h w"]) -> list[int]:
    """Encode a mask: 255 in all four channels inside, 0 outside, row by row."""
    flat = mask.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=not flat[0]))
    lengths = np.diff(starts, append=flat.size) * _CHANNELS
    bits = [f"{flat.size * _CHANNELS:032b}{7:05b}", *(f"{width - 1:04b}" for width in _WIDTHS)]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        value = "11111111" if flat[start] else "00000000"
        while length:
            count = min(length, 1 << _WIDTHS[-1])
            place = next(k for k, width in enumerate(_WIDTHS) if count <= 1 << width)
            bits.append(f"1{place:02b}{count - 1:0{_WIDTHS[place]}b}{value}")
            length -= count
    text = "".join(bits)
    return [int(text[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8)]


def decode_brush(stream: Sequence[int], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Decode a mask of a height and width: pixels whose alpha is at least a half.

    Raises:
        ValueError: The stream is cut off or belongs to another size.
    """
    try:
        bits = _Bits(np.asarray(stream, dtype=np.uint8))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the run lengths of a brush are bytes from 0 to 255, got {stream!r:.60}") from error
    total, word = bits.number(32), bits.number(5) + 1
    widths = [bits.number(4) + 1 for _ in range(4)]
    if total != size[0] * size[1] * _CHANNELS or word != 8:
        raise ValueError(
            f"the run lengths of a brush cover {total} bytes of {word} bits, expected {_CHANNELS} bytes for each of "
            f"{size[1]}x{size[0]} pixels: they belong to another size"
        )
    values = np.empty(total, np.uint8)
    done = 0
    while done < total:
        repeated = bits.number(1)
        count = bits.number(widths[bits.number(2)]) + 1
        if done + count > total:
            raise ValueError(f"the run lengths of a brush go on for more than {total} bytes: they are damaged")
        values[done : done + count] = bits.number(8) if repeated else bits.octets(count)
        done += count
    return values.reshape(*size, _CHANNELS)[..., 3] >= _INSIDE


class _Bits:
    """Reads whole numbers from a stream of bits, highest bit first."""

    def __init__(self, stream: UInt8[np.ndarray, " n"]) -> None:
        self._bits = np.unpackbits(stream)
        self._text = (self._bits + ord("0")).tobytes().decode("ascii")  # many short numbers are read from it
        self._place = 0

    def number(self, width: int) -> int:
        start = self._pass(width)
        return int(self._text[start : start + width], 2)

    def octets(self, count: int) -> UInt8[np.ndarray, " n"]:
        start = self._pass(8 * count)
        return np.packbits(self._bits[start : start + 8 * count])

    def _pass(self, width: int) -> int:
        start, self._place = self._place, self._place + width
        if self._place > len(self._text):
            raise ValueError("the run lengths of a brush end in the middle: they are cut off")
        return start
