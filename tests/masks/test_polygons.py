from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklet.masks.polygons import fill_polygons


@given(st.data(), st.integers(1, 40), st.integers(1, 40))
def test_a_rectangle_of_whole_pixels_is_exact(data, height, width):
    x0, x1 = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2)))
    y0, y1 = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2)))
    expected = np.zeros((height, width), bool)
    expected[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(fill_polygons([[x0, y0, x1, y0, x1, y1, x0, y1]], (height, width)), expected)


def test_polygons_are_joined_and_cut_off():
    found = fill_polygons([[-5, -5, 2, -5, 2, 2, -5, 2], [1, 1, 40, 1, 40, 3, 1, 3]], (4, 6))
    expected = np.zeros((4, 6), bool)
    expected[:2, :2] = True
    expected[1:3, 1:] = True
    np.testing.assert_array_equal(found, expected)
    assert not fill_polygons([], (4, 6)).any()


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([1, 2, 3, 4], "4 values"),
        ([1, 2, 3, 4, 5, 6, 7], "7 values"),
        ([1, 2, 3, 4, 5, float("nan")], "far outside"),
        ([1, 2, 3, 4, 5, 1e9], "far outside"),
        ([1, 2, 3, 4, 5, None], "far outside|no numbers"),
        ([1, 2, 3, 4, 5, "x"], "no numbers"),
        (3.0, "list of numbers"),
        ("123456", "list of numbers"),
    ],
)
def test_mistakes_are_named(polygon, message):
    with pytest.raises(ValueError, match=message):
        fill_polygons([polygon], (4, 6))
    with pytest.raises(ValueError, match="0x4"):
        fill_polygons([], (4, 0))
