from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco

from masklet.masks.rle import area, box, decode, encode, encode_window, run_lengths

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(masks)
@settings(max_examples=200, deadline=None)
def test_masks_survive_the_round_trip_and_keep_their_area(mask):
    encoded = encode(mask)
    np.testing.assert_array_equal(decode(encoded), mask)
    assert area(encoded) == mask.sum()
    assert encoded["size"] == list(mask.shape)
    assert isinstance(encoded["counts"], str)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_plain_runs_are_read_like_compressed_ones(runs):
    total = sum(runs)
    if total == 0:
        runs, total = [5], 5
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    np.testing.assert_array_equal(decode({"size": [total, 1], "counts": runs})[:, 0], inside)
    assert area({"size": [1, total], "counts": runs}) == inside.sum()


def test_runs_go_down_the_columns():
    mask = np.zeros((3, 2), dtype=bool)
    mask[1:, 0] = True  # column by column: 1 outside, 2 inside, 3 outside
    assert encode(mask)["counts"] == coco.frPyObjects({"size": [3, 2], "counts": [1, 2, 3]}, 3, 2)["counts"].decode()


@pytest.mark.usefixtures("as_user")
def test_what_cannot_be_encoded():
    for shape in [(4,), (2, 3, 4), (0, 3)]:
        with pytest.raises(ValueError, match="Cannot encode"):
            encode(np.zeros(shape, dtype=bool))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": [10, 12]}, "cover 110 pixels"),
        ({"size": [10]}, "height, width"),
        ({"counts": "\x7f~"}, "cannot occur"),
        ({"counts": "o"}, "cut off"),
        ({"counts": [5, 3]}, "cover 8 pixels"),
        ({"counts": [-5, 115]}, "cover -1 pixels"),
    ],
)
def test_damaged_encodings_are_refused(change, message):
    good = encode(np.random.default_rng(1).random((10, 11)) < 0.3)
    for read in (decode, area):
        with pytest.raises(ValueError, match=message):
            read({**good, **change})
    with pytest.raises(ValueError, match="'size' and 'counts'"):
        decode({"size": [1, 1]})


def test_box_of_encoded_mask():
    mask = np.zeros((6, 8), bool)
    mask[2:5, 3] = mask[4, 6] = True
    assert box(encode(mask)) == [3, 2, 4, 3]
    assert box(encode(np.zeros((6, 8), bool))) == [0, 0, 0, 0]


@given(masks, st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
@settings(max_examples=200, deadline=None)
def test_a_window_is_encoded_as_the_whole(mask, left, top, right, bottom):
    whole = np.pad(mask, ((top, bottom), (left, right)))
    assert encode_window(mask, (left, top), whole.shape) == encode(whole)
    runs = run_lengths(encode(whole))
    assert np.array_equal(np.repeat(np.arange(len(runs)) % 2, runs).reshape(whole.shape[::-1]).T, whole)


def test_an_empty_window():
    assert encode_window(np.zeros((0, 0), bool), (0, 0), (3, 4)) == encode(np.zeros((3, 4), bool))


@pytest.mark.parametrize("corner", [(3, 0), (0, 2), (-1, 0)])
def test_a_window_lies_in_the_image(corner):
    with pytest.raises(ValueError, match="does not lie in an image of 4x3"):
        encode_window(np.ones((2, 2), bool), corner, (3, 4))
