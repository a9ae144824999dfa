from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from masklet.data.augmentation import FLIP_ONLY, Augmentation, augment, draw_geometry, mosaic

NOTHING = replace(FLIP_ONLY, flip=0.0)


def clip(frames: int = 3) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """A bright square that moves over a dark ground."""
    pictures, masks = [], []
    for t in range(frames):
        mask = np.zeros((40, 60), np.uint8)
        mask[10:24, 12 + 2 * t : 30 + 2 * t] = 1
        masks.append([mask])
        pictures.append(np.where(mask[..., None] > 0, 200, 50).astype(np.uint8).repeat(3, 2))
    return pictures, masks


def agreement(frames: np.ndarray, masks: np.ndarray, threshold: float) -> float:
    """IoU of the masks and of what is bright."""
    bright = frames.mean(-1) > threshold
    return (bright & (masks[:, 0] > 0)).sum() / (bright | (masks[:, 0] > 0)).sum()


def test_without_changes_a_clip_is_squashed():
    frames, masks = augment(np.random.default_rng(0), *clip(), 32, NOTHING)
    assert frames.shape == (3, 32, 32, 3)
    assert masks.shape == (3, 1, 32, 32)
    assert agreement(frames, masks, 125) > 0.9
    assert masks[0].mean() == pytest.approx(14 * 18 / 2400, rel=0.1)
    assert abs(int(np.median(frames[masks[:, 0] > 0])) - 200) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_masks_follow_their_pixels(seed: int):
    frames, masks = augment(np.random.default_rng(seed), *clip(), 96, Augmentation())
    assert agreement(frames, masks, 125) > 0.85


def test_a_mirror_image_is_one():
    plain = draw_geometry(np.random.default_rng(0), 40, 60, 32, NOTHING)
    mirrored = draw_geometry(np.random.default_rng(0), 40, 60, 32, replace(NOTHING, flip=1.0))
    left = plain @ [0, 5, 1]
    right = mirrored @ [31, 5, 1]
    assert np.allclose(left, right)


def test_geometry_is_within_its_bounds():
    rng = np.random.default_rng(1)
    for _ in range(200):
        linear = draw_geometry(rng, 32, 32, 32, replace(NOTHING, degrees=25.0))[:, :2]
        angle = np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))
        assert abs(angle) <= 25
        assert np.allclose(linear @ linear.T, np.eye(2))


def test_shear_is_along_rows():
    rng = np.random.default_rng(2)
    slants = []
    for _ in range(200):
        linear = draw_geometry(rng, 32, 32, 32, replace(NOTHING, shear=20.0))[:, :2]
        assert np.allclose(linear[:, 0], [1, 0])
        assert linear[1, 1] == pytest.approx(1)
        slants.append(np.degrees(np.arctan(linear[0, 1])))
    assert -20 <= min(slants) < -15
    assert 15 < max(slants) <= 20


def test_colours_change_a_little_from_frame_to_frame():
    config = replace(NOTHING, frame_brightness=0.1)
    frames, _ = augment(np.random.default_rng(0), *clip(8), 32, config)
    means = frames.mean((1, 2, 3))
    assert len(set(means.round(3))) > 4
    assert means.max() / means.min() < 1.1 / 0.9 + 0.01
    together, _ = augment(np.random.default_rng(0), *clip(1), 32, replace(NOTHING, grey=1.0))
    assert np.ptp(together, axis=-1).max() <= 1


def test_a_mosaic_shows_look_alikes():
    frames, masks = augment(np.random.default_rng(0), *clip(), 64, NOTHING)
    for seed in range(4):
        tiled, truth = mosaic(np.random.default_rng(seed), frames, masks)
        assert tiled.shape == frames.shape
        assert truth.sum() == pytest.approx(masks.sum() / 4, rel=0.15)
        bright = tiled.mean(-1) > 125
        assert bright.sum() == pytest.approx(4 * truth.sum(), rel=0.2)
        assert (bright & (truth[:, 0] > 0)).sum() > 0.85 * truth.sum()
        cells = truth[:, 0].reshape(3, 2, 32, 2, 32).any((0, 2, 4))
        assert cells.sum() == 1
