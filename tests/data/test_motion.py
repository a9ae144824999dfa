"""Paths start at rest where they should, and meshes agree with the map they interpolate."""

from __future__ import annotations

import numpy as np

from masklet.data.motion import apply_homography, camera_path, draw_path, draw_times, mesh_map


def test_times_start_at_zero_and_grow():
    for seed in range(30):
        times = draw_times(np.random.default_rng(seed), 6, 0.7, 4)
        assert times[0] == 0
        assert (np.diff(times) >= 1).all()
        assert (np.diff(times) <= 4).all()


def test_paths_start_at_zero():
    path = draw_path(np.random.default_rng(0), np.arange(5.0), 0.1, 3)
    assert path.shape == (5, 3)
    assert np.allclose(path[0], 0)
    assert np.abs(path[1]).max() > 0


def test_camera_starts_at_the_identity():
    path = camera_path(np.random.default_rng(0), np.arange(4.0), 64, 0.05)
    np.testing.assert_allclose(path[0], np.eye(3), atol=1e-12)
    assert np.abs(path[3] - np.eye(3)).max() > 0.01


def test_mesh_agrees_with_each_pixel():
    matrix = np.array([[1.1, 0.1, -5], [-0.05, 0.9, 3], [4e-4, -3e-4, 1]])
    where = mesh_map(lambda points: apply_homography(matrix, points), 7, 11, 50, 37)
    pixels = np.stack(np.meshgrid(np.arange(7, 57), np.arange(11, 48)), axis=-1).astype(float)
    assert where.shape == (37, 50, 2)
    np.testing.assert_allclose(where, apply_homography(matrix, pixels), atol=0.05)
