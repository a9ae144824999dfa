"""Flow of frames, and masks that follow it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from masklet.video.flow import flow_to, grey, warp


def test_a_picture_that_moves_says_where_from():
    coarse = np.random.default_rng(0).integers(0, 255, (16, 24, 3), dtype=np.uint8)
    wide = np.asarray(cv2.resize(coarse, (120, 80), interpolation=cv2.INTER_CUBIC))
    before, now = grey(wide[:, 6:110]), grey(wide[:, 3:107])  # three pixels to the right
    inner = flow_to(before, now)[10:-10, 10:-10]
    assert inner[..., 0] == pytest.approx(np.full(inner.shape[:2], -3.0), abs=0.3)
    assert inner[..., 1] == pytest.approx(np.zeros(inner.shape[:2]), abs=0.3)


@pytest.mark.parametrize(("side", "shape"), [(None, (40, 60)), (60, (40, 60)), (90, (40, 60)), (30, (20, 30))])
def test_grey_frames_are_only_shrunk(side: int | None, shape: tuple[int, int]):
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[..., 0] = 200  # red
    made = grey(frame, side)
    assert made.shape == shape
    assert np.unique(made).tolist() == [60]


def test_what_leaves_the_frame_is_gone():
    soft = np.zeros((4, 6), np.float32)
    soft[1, 1] = soft[2, 5] = 1
    flow = np.zeros((4, 6, 2), np.float32)
    flow[..., 0] = -1  # each pixel was one to the left
    moved = warp(soft, flow)
    assert np.argwhere(moved).tolist() == [[1, 2]]
    assert moved[1, 2] == 1
    flow[..., 0] = -0.25
    assert warp(soft, flow)[1, 1:3].tolist() == [0.75, 0.25]
