"""Made-up clips: exact shapes, visible first frames, disjoint masks that follow the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from masklet.data.cutouts import Cutout, Pose
from masklet.data.motion import camera_path
from masklet.data.stills import StillStore
from masklet.data.synthetic import LEAST_AREA, Actor, ClipConfig, draw_actors, make_clip, render


@pytest.mark.parametrize(("frames", "objects"), [(1, 1), (4, 2), (6, 3)])
def test_shapes_and_first_frame(mini_data, frames, objects):
    for seed in range(8):
        clip = make_clip(np.random.default_rng(seed), mini_data.stills, 64, frames, objects)
        assert clip.frames.shape == (frames, 64, 64, 3)
        assert clip.frames.dtype == np.uint8
        assert clip.masks.shape == (frames, objects, 64, 64)
        assert clip.masks.dtype == np.uint8
        assert set(np.unique(clip.masks)) <= {0, 1}
        assert clip.labelled.all()
        assert (clip.masks[0].mean(axis=(1, 2)) >= LEAST_AREA).all()
        assert clip.masks.sum(axis=1).max() <= 1  # no pixel shows two objects


def _actor(colour: int, *poses: Pose) -> Actor:
    alpha = np.zeros((32, 32), np.uint8)
    alpha[6:26, 6:26] = 255
    return Actor(Cutout(np.full((32, 32, 3), colour, np.uint8), alpha, 400), poses, None)


def test_near_actors_hide_far_ones():
    far = _actor(100, Pose(29.5, 29.5, 1.0, 1.0, 0.0), Pose(29.5, 29.5, 1.0, 1.0, 0.0))
    near = _actor(200, Pose(79.5, 29.5, 1.0, 1.0, 0.0), Pose(39.5, 29.5, 1.0, 1.0, 0.0))
    background = [np.zeros((64, 100, 3), np.uint8)] * 2
    rng = np.random.default_rng(5)
    frames, masks = render(rng, background, [far, near], np.arange(2.0))
    assert masks[0].sum(axis=(1, 2)).astype(float) == pytest.approx([400.0, 400.0], abs=20)
    assert float(masks[1, 0].sum()) == pytest.approx(200, abs=20)
    assert (masks[1, 0] & masks[1, 1]).sum() == 0
    for index in range(2):
        assert np.abs(frames[index][masks[index, 0] > 0].astype(int) - 100).mean() < 6
        assert np.abs(frames[index][masks[index, 1] > 0].astype(int) - 200).mean() < 6


def test_things_leave_and_move(mini_data):
    config = ClipConfig(leave=1.0, cross=0.0, still_object=0.0)
    absent, moved = 0, []
    for seed in range(20):
        masks = make_clip(np.random.default_rng(seed), mini_data.stills, 64, 4, 2, config).masks
        absent += int((masks.sum(axis=(2, 3)) == 0).sum())
        moved.append((masks[0] != masks[1]).mean())
    assert absent > 10
    assert np.mean(moved) > 0.01


def test_same_seed_same_clip(mini_data):
    first, second = (make_clip(np.random.default_rng(3), mini_data.stills, 64) for _ in range(2))
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.masks, second.masks)


def test_without_stills():
    with pytest.raises(ValueError, match="stills"):
        make_clip(np.random.default_rng(0), StillStore([]), 64)


def test_a_rider_is_part_of_its_mount():
    rider = _actor(200, Pose(39.5, 24.5, 0.5, 0.5, 0.0))
    mount = replace(_actor(100, Pose(29.5, 29.5, 1.0, 1.0, 0.0)), rider=rider)
    frames, masks = render(np.random.default_rng(5), [np.zeros((64, 100, 3), np.uint8)], [mount], np.arange(1.0))
    assert masks.shape == (1, 1, 64, 100)
    assert masks[0, 0, 24, 42] == masks[0, 0, 30, 22] == 1
    assert frames[0, 24, 42, 0] > 190  # in front
    assert frames[0, 30, 22, 0] < 110
    assert float(masks.sum()) == pytest.approx(400 + 25, abs=25)  # a quarter of the rider reaches beyond its mount


def test_riders_go_with_their_mounts(mini_data):
    config = ClipConfig(join=1.0, copy=0.0, leave=0.0, cross=0.0)
    times = np.arange(5.0)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        camera = camera_path(rng, times, 64, 0.01)
        for actor in draw_actors(rng, mini_data.stills, 64, times, camera, 1, config):
            assert actor.rider is not None
            apart = [np.hypot(a.x - b.x, a.y - b.y) for a, b in zip(actor.poses, actor.rider.poses, strict=True)]
            scale = np.array([pose.scale_x for pose in actor.poses])
            assert np.ptp(apart / (scale / scale[0])) < 0.6 * apart[0] + 3  # they sway, but do not part
            ratio = actor.rider.cutout.area * actor.rider.poses[0].scale_x ** 2
            ratio /= actor.cutout.area * actor.poses[0].scale_x * actor.poses[0].scale_y
            assert ratio < 1.3
