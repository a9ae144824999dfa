"""Simulated clicks and boxes against their definitions, spelled out slowly."""

from __future__ import annotations

import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from masklet.interaction.clicks import box_of, boxes_of, center_click, center_clicks, random_click, random_clicks


def deepest_slow(region):
    """Distance of every pixel to the nearest one outside the region or the image, by brute force."""
    outside = np.argwhere(~np.pad(region, 1)) - 1
    best, where = 0.0, None
    for y, x in np.argwhere(region):
        depth = np.sqrt(((outside - (y, x)) ** 2).sum(1).min())
        if depth > best + 1e-4:
            best, where = depth, (x, y)
    return best, where


maps = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)


@settings(max_examples=150, deadline=None)
@given(maps)
def test_center_click_is_deepest_error(pair):
    gt, prediction = pair
    missed, added = deepest_slow(gt & ~prediction), deepest_slow(prediction & ~gt)
    xy, label = center_click(gt, prediction)
    if missed[0] == added[0] == 0:
        assert label == (1 if gt.all() else 0) == gt[int(xy[1]), int(xy[0])]
    elif missed[0] > added[0]:
        assert (label, xy) == (1, missed[1])
    else:
        assert (label, xy) == (0, added[1])


def test_center_click_of_an_object_off_the_middle():
    gt = np.zeros((40, 60), bool)
    gt[5:16, 30:51] = True
    assert center_click(gt) == ((35.0, 10.0), 1)


def test_border_of_the_image_counts_as_outside():
    gt = np.zeros((9, 30), bool)
    gt[:, :9] = True
    assert center_click(gt) == ((4.0, 4.0), 1)


def test_equal_depths_give_a_negative_click():
    gt, prediction = np.zeros((2, 10, 20), bool)
    gt[2:7, 2:7] = True
    prediction[2:7, 12:17] = True
    assert center_click(gt, prediction) == ((14.0, 4.0), 0)
    prediction[2:7, 16] = False
    assert center_click(gt, prediction) == ((4.0, 4.0), 1)


def test_batch_equals_single():
    rng = np.random.default_rng(0)
    gt, prediction = rng.random((2, 7, 20, 30)) < 0.5
    gt[3] = prediction[3]
    points, labels = center_clicks(gt, prediction)
    for i in range(7):
        xy, label = center_click(gt[i], prediction[i])
        assert xy == tuple(points[i])
        assert label == labels[i]


def test_random_clicks_are_uniform_over_the_error():
    rng = np.random.default_rng(1)
    gt, prediction = np.zeros((2, 4, 5), bool)
    gt[1, 1:4] = True
    prediction[1, 3:5] = True
    prediction[3, 0] = True
    n = 4000
    points, labels = random_clicks(np.repeat(gt[None], n, 0), np.repeat(prediction[None], n, 0), rng)
    xy, counts = np.unique(points, axis=0, return_counts=True)
    assert xy.tolist() == [[0, 3], [1, 1], [2, 1], [4, 1]]
    assert np.abs(counts - n / 4).max() < 5 * np.sqrt(n * 3 / 16)
    positive = gt[points[:, 1].astype(int), points[:, 0].astype(int)]
    assert (labels == positive).all()


def test_random_clicks_of_a_mixed_batch_stay_in_their_own_mask():
    rng = np.random.default_rng(2)
    gt = np.zeros((5, 6, 7), bool)
    prediction = np.zeros((5, 6, 7), bool)
    gt[0, 5, 6] = True  # one pixel missed
    prediction[1, 0, 0] = True  # one pixel too many
    gt[2, 2:4] = prediction[2, 2:4] = True  # right
    gt[3] = prediction[3] = True  # right, and no background
    for _ in range(30):  # gt[4] is absent and rightly so
        points, labels = random_clicks(gt, prediction, rng)
        assert points[0].tolist() == [6, 5]
        assert points[1].tolist() == [0, 0]
        assert labels.tolist() == [1, 0, 0, 1, 0]
        assert points[2, 1] not in (2, 3)
        assert (points >= 0).all()
        assert (points < [7, 6]).all()


def test_random_click_without_prediction_is_on_the_object():
    gt = np.zeros((8, 8), bool)
    gt[3, 4] = True
    assert random_click(gt, None, np.random.default_rng(0)) == ((4.0, 3.0), 1)


def test_same_generator_same_clicks():
    gt = np.random.default_rng(3).random((4, 16, 16)) < 0.5
    first, second = (random_clicks(gt, None, np.random.default_rng(9))[0] for _ in range(2))
    assert (first == second).all()


def test_exact_box_covers_first_and_last_pixel():
    gt = np.zeros((20, 30), bool)
    gt[4:11, 7] = True
    gt[6, 7:22] = True
    assert box_of(gt).tolist() == [7, 4, 21, 10]


def test_box_noise_is_a_tenth_of_the_side_at_most_20_px_and_clamped():
    gt = np.zeros((2, 100, 500), bool)
    gt[0, 30:71, 100:401] = True  # sides 300 and 40
    gt[1] = True
    rng = np.random.default_rng(0)
    shaken = np.stack([boxes_of(gt, rng) for _ in range(400)])
    shift = shaken[:, 0] - [100, 30, 400, 70]
    assert (np.abs(shift).max(0) <= [20, 4, 20, 4]).all()
    assert (np.abs(shift).max(0) > [18, 3.5, 18, 3.5]).all()
    assert np.abs(shift.mean(0)).max() < 2
    assert shaken[:, 1].min() == 0
    assert (shaken[:, 1].max(0) <= [20, 9.9, 499, 99]).all()


def test_mistakes_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # what a user meets: no checks by shape
    gt = np.zeros((4, 4), bool)
    with pytest.raises(ValueError, match="empty"):
        box_of(gt)
    with pytest.raises(ValueError, match="float64"):
        center_click(gt.astype(float))
    with pytest.raises(ValueError, match=r"\(1, 5, 4\)"):
        center_click(gt, np.zeros((5, 4), bool))
    with pytest.raises(ValueError, match="boolean"):
        random_clicks(gt[None], np.zeros((1, 4, 4)), np.random.default_rng(0))
