from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from masklet.inference.crops import Crop, crops_of, near_inner_edge, points_of


def test_no_layer_is_the_whole_image():
    assert crops_of((90, 160), 0, 0.3) == [Crop(0, (0, 0, 160, 90))]


def test_crops_cover_the_image_and_overlap():
    crops = crops_of((900, 1600), 2, 512 / 1500)
    assert [sum(crop.layer == layer for crop in crops) for layer in range(3)] == [1, 4, 16]
    for layer, shared in ((1, 307), (2, 153)):
        boxes = np.array([crop.box for crop in crops if crop.layer == layer])
        assert (boxes[:, :2].min(0) == 0).all()
        assert (boxes[:, 2:].max(0) == (1600, 900)).all()
        xs = sorted({(x0, x1) for x0, _, x1, _ in boxes.tolist()})
        assert all(end - start == shared for (_, end), (start, _) in pairwise(xs))
    assert crops[1].box == (0, 0, 954, 604)
    assert crops[1].size == (604, 954)
    assert crops[2].box[:2] == (0, 297), "column by column"


@pytest.mark.parametrize("size", [(1, 3), (6, 6), (1, 1)])
def test_of_few_pixels_no_crop_is_empty(size):
    crops = crops_of(size, 2, 512 / 1500)
    assert all(min(crop.size) > 0 for crop in crops)
    for layer in range(3):
        covered = np.zeros(size, bool)
        for x0, y0, x1, y1 in (crop.box for crop in crops if crop.layer == layer):
            covered[y0:y1, x0:x1] = True
        assert covered.all()


def test_a_grid_lies_in_the_middle_of_its_cells():
    assert points_of(2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert points_of([[0.1, 0.2]]).tolist() == [[0.1, 0.2]]


@pytest.mark.parametrize("grid", [0, -3, [], [[1.0, 0.5]], [[-0.1, 0.5]], [0.5, 0.5], [[np.nan, 0.5]]])
def test_what_is_no_grid(as_user, grid):
    with pytest.raises(ValueError, match="grid"):
        points_of(grid)


@pytest.mark.parametrize(
    ("box", "near"),
    [
        ((21, 21, 79, 79), False),
        ((20, 50, 60, 60), False),  # the image ends there, too
        ((40, 50, 80, 60), True),
        ((40, 50, 79, 60), False),
        ((0, 0, 100, 90), True),
        ((50, 50, 60, 81), True),
    ],
)
def test_what_goes_on_beyond_the_crop(box, near):
    assert near_inner_edge(box, (0, 0, 100, 101), (400, 400)) is near


def test_the_whole_image_has_no_inner_edge():
    assert not near_inner_edge((0, 0, 99, 49), (0, 0, 100, 50), (50, 100))
