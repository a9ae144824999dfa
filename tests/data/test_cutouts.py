"""Cut-outs land where their pose says, in their own colours."""

from __future__ import annotations

import numpy as np
import pytest

from masklet.data.cutouts import Cutout, CutoutConfig, Pose, cut_out, draw_sprite, line_kernel, paste, shrunk
from masklet.data.stills import StillStore


def _square() -> Cutout:
    image = np.full((60, 60, 3), 10, np.uint8)
    image[20:40, 20:40] = (200, 100, 50)
    mask = np.zeros((60, 60), np.uint8)
    mask[20:40, 20:40] = 1
    return cut_out(image, mask)


def test_the_edge_holds_no_background():
    cutout = _square()
    assert cutout.alpha[[0, -1]].max() == 0
    assert abs(cutout.area - 18 * 18) <= 8
    assert (cutout.pixels[cutout.alpha > 127] == (200, 100, 50)).all()


def test_pasting_places_scales_and_turns():
    frame = np.zeros((100, 120, 3), np.uint8)
    covered = paste(frame, _square(), Pose(70.0, 40.0, 2.0, 1.0, 0.0))
    rows, columns = np.nonzero(covered)
    assert abs(columns.mean() - 70) < 1
    assert abs(rows.mean() - 40) < 1
    assert abs(np.ptp(columns) + 1 - 36) <= 2
    assert abs(np.ptp(rows) + 1 - 18) <= 2
    assert np.abs(frame[40, 70].astype(int) - (200, 100, 50)).max() <= 2
    assert frame[covered == 0].max() <= 102  # at most half of the brightest colour outside
    turned = paste(np.zeros_like(frame), _square(), Pose(60.0, 50.0, 2.0, 1.0, np.pi / 2))
    rows, columns = np.nonzero(turned)
    assert abs(np.ptp(rows) + 1 - 36) <= 2
    assert abs(np.ptp(columns) + 1 - 18) <= 2


def test_clockwise_angles_turn_x_towards_y():
    cutout = _square()
    cutout.pixels[:, 16:] = (0, 255, 0)  # the right half
    frame = np.zeros((80, 80, 3), np.uint8)
    paste(frame, cutout, Pose(40.0, 40.0, 1.0, 1.0, np.pi / 2))
    assert frame[46, 40, 1] > 240
    assert frame[34, 40, 1] < 120


def test_outside_the_frame_nothing_changes():
    frame = np.zeros((50, 50, 3), np.uint8)
    assert paste(frame, _square(), Pose(-100.0, 20.0, 1.0, 1.0, 0.0)).sum() == 0
    assert frame.max() == 0


def test_motion_blur_keeps_the_centre():
    frame = np.zeros((80, 80, 3), np.uint8)
    covered = paste(frame, _square(), Pose(40.0, 40.0, 1.0, 1.0, 0.0), blur=(8.0, 0.0))
    _rows, columns = np.nonzero(covered)
    assert abs(columns.mean() - 39.5) < 1
    assert np.count_nonzero(frame[40, :, 0]) > 24
    assert line_kernel(5.0, -3.0).sum() == pytest.approx(1)


def test_shrinking_beforehand_keeps_the_size():
    cutout, factor = shrunk(_square(), 0.3)
    frame = np.zeros((60, 60, 3), np.uint8)
    covered = paste(frame, cutout, Pose(30.0, 30.0, 0.3 * factor, 0.3 * factor, 0.0))
    assert abs(covered.sum() - (18 * 0.3) ** 2) < 12


def test_sprites_have_the_wanted_size(mini_data):
    config = CutoutConfig(area=(0.05, 0.1), stretch=0.0, enlarge=10.0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        cutout, scales = draw_sprite(rng, mini_data.stills, 96, config)
        frame = np.zeros((96, 96, 3), np.uint8)
        covered = paste(frame, cutout, Pose(48.0, 48.0, *scales, 0.0))
        assert 0.04 <= covered.mean() <= 0.12


def test_no_movable_regions():
    with pytest.raises(ValueError, match="cut out"):
        draw_sprite(np.random.default_rng(0), StillStore([]), 64, CutoutConfig())
