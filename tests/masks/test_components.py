from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masklet.masks.components import (
    clean_small,
    fill_small_holes,
    remove_small_specks,
    repair_rle,
    repair_small_regions,
)
from masklet.masks.rle import decode, encode


@pytest.fixture
def logits() -> torch.Tensor:
    """Two objects of 5: the first with holes of 1, 3 (joined at corners) and 4 pixels, the second without."""
    logits = torch.full((2, 1, 20, 20), -3.0)
    logits[:, :, 2:18, 2:18] = 5.0
    logits[0, 0, 4, 4] = -1.0
    for k in range(3):
        logits[0, 0, 7 + k, 7 + k] = 0.0  # logits of exactly 0 are outside
    logits[0, 0, 12:14, 12:14] = -2.0
    return logits


def test_holes_up_to_the_area_are_filled(logits):
    before = logits.clone()
    filled = fill_small_holes(logits, 3)
    assert torch.equal(logits, before), "the input was changed"
    assert filled[0, 0, 4, 4] == pytest.approx(0.1)
    assert [filled[0, 0, 7 + k, 7 + k].item() for k in range(3)] == pytest.approx([0.1] * 3)
    assert (filled[0, 0, 12:14, 12:14] == -2).all()
    assert (filled[:, :, :2] == -3).all()
    assert torch.equal(filled[1], before[1])
    assert (fill_small_holes(logits, 4, value=2.0)[0, 0, 12:14, 12:14] == 2).all()


def test_corners_join_pixels_to_one_component(logits):
    assert (fill_small_holes(logits, 2)[0, 0, 7:10, 7:10].diagonal() == 0).all()


def test_the_mirror_image_removes_specks(logits):
    removed = remove_small_specks(-logits, 4)
    small = torch.zeros(20, 20, dtype=torch.bool)
    small[4, 4] = True
    small[12:14, 12:14] = True
    assert (removed[0, 0][small] == -10).all()
    assert torch.equal(removed[0, 0][~small], -logits[0, 0][~small])
    assert removed[0, 0, 8, 8] == 0, "a logit of 0 is no part of a mask"


def test_nothing_to_do_gives_the_input_itself(logits):
    assert fill_small_holes(logits[1:], 8).data_ptr() == logits[1:].data_ptr()
    for function in (fill_small_holes, remove_small_specks):
        assert function(logits, 0) is logits
        whole = torch.full((1, 1, 4, 4), 1.0)
        assert fill_small_holes(whole, 100) is whole
        assert function(logits[:0], 8).shape == (0, 1, 20, 20)


def test_a_mask_that_is_all_hole_is_filled_like_any_component():
    assert (fill_small_holes(torch.full((1, 1, 2, 2), -5.0), 4) > 0).all()


def test_half_precision_keeps_its_type(logits):
    assert fill_small_holes(logits.bfloat16(), 3).dtype == torch.bfloat16


@pytest.mark.usefixtures("as_user")
def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"\(1, 3, 4, 4\)"):
        fill_small_holes(torch.zeros(1, 3, 4, 4), 8)
    with pytest.raises(ValueError, match=r"\(4, 4\)"):
        remove_small_specks(torch.zeros(4, 4), 8)


def test_both_are_judged_as_given(logits):
    logits[0, 0, 11:17, 3:9] = -2.0
    logits[0, 0, 13, 5] = 3.0  # a speck of one pixel in a hole of 35
    cleaned = clean_small(logits, 35, 1, 10.0)
    assert (cleaned[0, 0, 11:17, 3:9].flatten() == 10).sum() == 35
    assert cleaned[0, 0, 13, 5] == -10
    assert torch.equal(clean_small(logits, 0, 0, 10.0), logits)
    assert torch.equal(clean_small(logits, 3, 0, 10.0), fill_small_holes(logits, 3, 10.0))


def test_repair_says_whether_something_was_small():
    mask = np.zeros((12, 12), bool)
    mask[1:8, 1:8] = True
    repaired, changed = repair_small_regions(mask, 5)
    assert not changed
    assert np.array_equal(repaired, mask)
    broken = mask.copy()
    broken[3, 3] = False
    broken[10, 10:12] = True
    repaired, changed = repair_small_regions(broken, 3)
    assert changed
    assert np.array_equal(repaired, mask)
    assert not repair_small_regions(broken, 1)[1]


def test_the_largest_speck_stays():
    mask = np.zeros((12, 12), bool)
    mask[1, 1], mask[5, 5:9], mask[9, 9] = True, True, True
    repaired, changed = repair_small_regions(mask, 200)  # the background, too, is small
    assert changed
    assert repaired.all()
    mask = np.zeros((30, 30), bool)
    mask[1, 1], mask[5, 5:9], mask[9, 9] = True, True, True
    repaired, changed = repair_small_regions(mask, 200)
    assert changed
    assert repaired.sum() == 4
    assert repaired[5, 5:9].all()
    assert not repair_small_regions(np.zeros((30, 30), bool), 200)[1]


def _masks() -> st.SearchStrategy[np.ndarray]:
    return st.tuples(st.integers(0, 2**32 - 1), st.floats(0.02, 0.98)).map(
        lambda drawn: np.random.default_rng(drawn[0]).random((23, 31)) < drawn[1]
    )


@given(_masks(), st.integers(0, 60), st.booleans())
def test_run_lengths_are_repaired_as_masks_are(mask: np.ndarray, least_area: int, cut: bool):
    if cut:  # a mask in a corner of a larger image
        mask = np.pad(mask, ((0, 20), (25, 0)))
    wanted = repair_small_regions(mask, least_area)[0] if mask.any() else mask
    repaired = decode(repair_rle(encode(mask), least_area))
    if np.count_nonzero(wanted) < least_area:  # of several largest specks any may stay
        assert np.count_nonzero(repaired) == np.count_nonzero(wanted)
    else:
        assert np.array_equal(repaired, wanted)
