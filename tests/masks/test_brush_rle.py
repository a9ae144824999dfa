from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from masklet.masks.brush_rle import decode_brush, encode_brush

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(bool, size))


@given(MASKS)
def test_any_mask_comes_back(mask):
    stream = encode_brush(mask)
    assert all(0 <= byte < 256 for byte in stream)
    np.testing.assert_array_equal(decode_brush(stream, mask.shape), mask)


def test_runs_longer_than_sixteen_bits_are_split():
    mask = np.ones((200, 300), bool)
    mask[150:] = False
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), (200, 300)), mask)


def bits(*parts: str) -> list[int]:
    text = "".join(parts)
    return [int(text[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8)]


def test_a_stream_worked_out_by_hand():
    """Two pixels: 4 zeros as a run, then a colour with alpha 200 as four single bytes."""
    head = f"{8:032b}", f"{7:05b}", *(f"{width - 1:04b}" for width in (3, 4, 8, 16))
    colour = "".join(f"{value:08b}" for value in (10, 20, 30, 200))
    stream = bits(*head, "1", "00", "011", "00000000", "0", "00", "011", colour)
    np.testing.assert_array_equal(decode_brush(stream, (1, 2)), [[False, True]])
    assert encode_brush(np.array([[False]])) == bits(f"{4:032b}", *head[1:], "1", "00", "011", "00000000")


@pytest.mark.parametrize(
    ("change", "size", "message"),
    [
        (lambda stream: stream[:8], (3, 4), "cut off"),
        (lambda stream: stream, (4, 4), "cover 48 bytes .* 4x4"),
        (lambda stream: [*stream[:4], 7, *stream[5:]], (3, 4), "belong to another size"),
        (lambda stream: ["x"], (3, 4), "bytes from 0 to 255"),
        (lambda stream: [300], (3, 4), "bytes from 0 to 255"),
    ],
)
@pytest.mark.usefixtures("as_user")
def test_damaged_streams(change, size, message):
    with pytest.raises(ValueError, match=message):
        decode_brush(change(encode_brush(np.eye(3, 4, dtype=bool))), size)
