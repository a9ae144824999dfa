from __future__ import annotations

import numpy as np
import pytest

from masklet.masks.nesting import Nest, hierarchy, label_map
from masklet.masks.rle import encode

SIZE = (40, 50)


def block(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_parts_and_what_lies_in_holes():
    picture, frame = block(10, 20, 10, 20), block(8, 22, 8, 22)
    wall = block(0, 40, 0, 40) & ~frame
    frame &= ~picture
    nail, apart = block(2, 4, 2, 4), block(30, 36, 42, 48)
    masks = [nail, wall, picture, frame, block(10, 20, 10, 15), apart]
    assert hierarchy([encode(mask) for mask in masks]) == [
        Nest(1, None),  # the nail belongs to the wall
        Nest(None, None),
        Nest(None, 3),  # the picture lies in its frame, not only in the wall
        Nest(None, 1),
        Nest(2, 3),  # half of the picture
        Nest(None, None),
    ]


def test_nearly_is_enough():
    small, large = block(0, 10, 0, 10), block(1, 30, 0, 30)  # 90 %
    rles = [encode(large), encode(small)]
    assert hierarchy(rles)[1].part_of == 0
    assert hierarchy(rles, share=0.91)[1].part_of is None


def test_of_equal_masks_one_is_the_whole():
    rle = encode(block(0, 10, 0, 10))
    assert [nest.part_of for nest in hierarchy([rle, rle, rle])] == [None, 0, 1]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_nothing_is_in_nothing():
    empty = encode(np.zeros(SIZE, bool))
    assert hierarchy([]) == []
    assert hierarchy([empty, encode(block(0, 5, 0, 5))])[1] == Nest(None, None)


def test_the_smallest_mask_is_on_top():
    masks = [block(0, 10, 0, 10), block(0, 20, 0, 20), block(5, 8, 5, 12)]
    labels = label_map([encode(mask) for mask in masks], SIZE)
    wanted = np.zeros(SIZE, int)
    for label in (2, 1, 3):
        wanted[masks[label - 1]] = label
    assert np.array_equal(labels, wanted)
    assert not label_map([], SIZE).any()
