from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from masklet.masks.outlines import join_polygons, outline_pieces
from masklet.masks.polygons import fill_polygons

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(bool, size))


@given(MASKS)
def test_any_mask_is_filled_again(mask):
    polygons, pierced = outline_pieces(mask)
    np.testing.assert_array_equal(fill_polygons(polygons, mask.shape), mask)
    assert pierced <= len(polygons)
    if polygons:
        np.testing.assert_array_equal(fill_polygons([join_polygons(polygons)], mask.shape), mask)


def test_a_box_has_four_corners_on_the_edges_of_its_pixels():
    mask = np.zeros((5, 6), bool)
    mask[1:3, 2:6] = True
    ((*corners,),), pierced = outline_pieces(mask)
    assert {*zip(corners[0::2], corners[1::2], strict=True)} == {(2, 1), (6, 1), (6, 3), (2, 3)}
    assert pierced == 0


def test_pieces_and_holes_are_counted():
    mask = np.zeros((5, 12), bool)
    mask[:, :5] = mask[:, 6:11] = True
    mask[2, 2] = False
    polygons, pierced = outline_pieces(mask)
    assert (len(polygons), pierced) == (2, 1)
