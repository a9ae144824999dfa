"""Crops keep pictures and label maps together; colours change without moving anything."""

from __future__ import annotations

import numpy as np
import pytest
from mini_sets import bsds_map

from masklet.data.transforms import ColourConfig, CropConfig, draw_crop, jitter_colours, warp_image, warp_labels


@pytest.mark.parametrize("seed", range(8))
def test_labels_follow_the_picture(seed):
    labels = np.kron(bsds_map(), np.ones((3, 3), np.uint8))
    image = np.repeat((labels * 60)[..., None], 3, axis=2)
    to_source = draw_crop(np.random.default_rng(seed), *labels.shape, 64, CropConfig())
    picture, mapped = warp_image(image, to_source, 64), warp_labels(labels, to_source, 64)
    wrong = np.abs(picture[..., 0].astype(int) - mapped.astype(int) * 60) > 45
    assert wrong.mean() < 0.01
    assert set(np.unique(mapped)) <= {1, 2, 3}


def test_whole_photo_without_changes_is_a_resize():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    config = CropConfig(whole=1.0, rotation=0.0, flip=0.0)
    to_source = draw_crop(np.random.default_rng(0), 64, 64, 64, config)
    np.testing.assert_array_equal(warp_image(image, to_source, 64), image)
    mirrored = draw_crop(np.random.default_rng(0), 64, 64, 64, CropConfig(whole=1.0, rotation=0.0, flip=1.0))
    np.testing.assert_array_equal(warp_image(image, mirrored, 64), image[:, ::-1])


def test_crops_stay_inside_without_rotation():
    rng = np.random.default_rng(0)
    corners = np.array([[-0.5, -0.5], [31.5, 31.5]])
    for _ in range(100):
        to_source = draw_crop(rng, 50, 90, 32, CropConfig(rotation=0.0))
        mapped = corners @ to_source[:, :2].T + to_source[:, 2]
        assert mapped.min() >= -0.5 - 1e-9
        assert (mapped.max(axis=0) <= np.array([89.5, 49.5]) + 1e-9).all()


def test_strong_shrinking_averages():
    image = np.zeros((512, 512, 3), np.uint8)
    image[::2, ::2] = 255  # single pixels that plain sampling would miss or double
    to_source = np.array([[8.0, 0, 3.5], [0, 8.0, 3.5]])
    assert abs(warp_image(image, to_source, 64).astype(float).mean() - 255 / 4) < 3
    ramp = np.repeat(np.linspace(0, 255, 512).astype(np.uint8)[None, :, None], 512, axis=0).repeat(3, axis=2)
    shrunk = warp_image(ramp, to_source, 64)[32, :, 0].astype(float)
    np.testing.assert_allclose(shrunk, ramp[0, :, 0].reshape(64, 8).mean(axis=1), atol=1.0)


def test_colours_change_alike_over_a_clip():
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    quiet = ColourConfig(noise=0.0, jpeg=0.0)
    for seed in range(20):
        first, second = jitter_colours(np.random.default_rng(seed), [picture, picture], quiet)
        np.testing.assert_array_equal(first, second)
    none = ColourConfig(
        brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0, gamma=0.0, grey=0.0, blur=0.0, noise=0.0, jpeg=0.0
    )
    (same,) = jitter_colours(np.random.default_rng(0), [picture], none)
    np.testing.assert_array_equal(same, picture)
    (grey,) = jitter_colours(
        np.random.default_rng(0), [picture], ColourConfig(hue=0.0, grey=1.0, blur=0.0, noise=0.0, jpeg=0.0)
    )
    assert (grey == grey[..., :1]).all()
