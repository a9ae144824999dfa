from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from masklet.masks.boxes import box_of_mask


def test_edges_lie_between_pixels():
    mask = np.zeros((10, 20), dtype=bool)
    mask[7, 4] = True
    assert box_of_mask(mask) == (4, 7, 5, 8)
    mask[2, 15] = True
    assert box_of_mask(mask) == (4, 2, 16, 8)


def test_an_empty_mask_has_no_box():
    assert box_of_mask(np.zeros((3, 3), dtype=bool)) is None


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
@settings(max_examples=200)
def test_a_crop_holds_everything_and_no_less(mask):
    box = box_of_mask(mask)
    assert (box is None) == (not mask.any())
    if box is not None:
        x0, y0, x1, y1 = box
        crop = mask[y0:y1, x0:x1]
        assert crop.sum() == mask.sum()
        assert crop[0].any()
        assert crop[-1].any()
        assert crop[:, 0].any()
        assert crop[:, -1].any()


@pytest.mark.usefixtures("as_user")
def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"\(2, 3, 4\)"):
        box_of_mask(np.zeros((2, 3, 4), dtype=bool))
