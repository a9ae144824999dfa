"""A plate is still at time 0, goes through its control points, bends as little as they allow, and never folds."""

from __future__ import annotations

import numpy as np

from masklet.data.synthetic import ClipConfig
from masklet.data.thin_plate import ThinPlate

_SQUARE = np.stack(np.meshgrid(np.linspace(0, 1, 25), np.linspace(0, 1, 25)), axis=-1)


def _kernel(distance: np.ndarray) -> np.ndarray:
    """The thin-plate kernel r^2 log r, 0 at 0."""
    return distance**2 * np.log(np.maximum(distance, 1e-300))


def test_is_still_at_time_zero():
    plate = ThinPlate.draw(np.random.default_rng(0), 0.05)
    assert np.array_equal(plate(_SQUARE, 0.0), _SQUARE)
    assert 0.01 < np.abs(plate(_SQUARE, 3.0) - _SQUARE).max() < 0.2


def test_equals_the_spline_solved_by_hand():
    plate = ThinPlate.draw(np.random.default_rng(1), 0.05)
    controls = plate.basis.y  # where scipy's interpolator keeps the points it was given
    moved = plate(controls, 2.5)
    sway = (np.sin(plate.phase + 2.5 * plate.pace) - np.sin(plate.phase))[:, None] * plate.push
    np.testing.assert_allclose(moved - controls, sway, atol=1e-9)

    count = len(controls)
    plane = np.c_[np.ones(count), controls]
    left = np.zeros((count + 3, count + 3))
    left[:count, :count] = _kernel(np.linalg.norm(controls[:, None] - controls, axis=-1))
    left[:count, count:], left[count:, :count] = plane, plane.T
    weights = np.linalg.solve(left, np.r_[sway, np.zeros((3, 2))])
    points = np.random.default_rng(2).random((40, 2))
    kernel = _kernel(np.linalg.norm(points[:, None] - controls, axis=-1))
    expected = points + np.c_[kernel, np.ones(40), points] @ weights
    np.testing.assert_allclose(plate(points, 2.5), expected, atol=1e-9)


def test_never_folds_at_the_greatest_strength():
    for seed in range(100):
        plate = ThinPlate.draw(np.random.default_rng(seed), ClipConfig().wobble)
        for time in (1.0, 4.0, 16.0):
            where = plate(_SQUARE, time)
            right, down = np.diff(where, axis=1)[:-1], np.diff(where, axis=0)[:, :-1]
            assert (right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0] > 0).all(), (seed, time)


def test_is_the_same_for_the_same_seed():
    first, second = (ThinPlate.draw(np.random.default_rng(7), 0.05)(_SQUARE, 2.0) for _ in range(2))
    assert np.array_equal(first, second)
