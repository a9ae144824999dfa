from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from masklet.masks.boxes import box_of_mask, boxes_of_masks


def test_edges_lie_between_pixels():
    mask = np.zeros((10, 20), dtype=bool)
    mask[7, 4] = True
    assert box_of_mask(mask) == (4, 7, 5, 8)
    mask[2, 15] = True
    assert box_of_mask(mask) == (4, 2, 16, 8)


def test_an_empty_mask_has_no_box():
    assert box_of_mask(np.zeros((3, 3), dtype=bool)) is None
    assert boxes_of_masks(torch.zeros(2, 3, 3, dtype=torch.bool)).tolist() == [[0, 0, 0, 0]] * 2


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=9)))
@settings(max_examples=200, deadline=None)
def test_a_stack_agrees_with_single_masks_and_crops_hold_everything(masks):
    boxes = boxes_of_masks(torch.from_numpy(masks)).tolist()
    for mask, box in zip(masks, boxes, strict=True):
        assert tuple(box) == (box_of_mask(mask) or (0, 0, 0, 0))
        x0, y0, x1, y1 = box
        crop = mask[y0:y1, x0:x1]
        assert crop.sum() == mask.sum()
        if crop.size:
            assert crop[0].any()
            assert crop[-1].any()
            assert crop[:, 0].any()
            assert crop[:, -1].any()


@pytest.mark.usefixtures("as_user")
def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"\(2, 3, 4\)"):
        box_of_mask(np.zeros((2, 3, 4), dtype=bool))
    with pytest.raises(ValueError, match=r"\(3, 4\)"):
        boxes_of_masks(torch.zeros(3, 4, dtype=torch.bool))
