from __future__ import annotations

import cv2
import numpy as np

from masklet.video.flow import flow_to
from masklet.video.own_motion import own_motion


def test_a_thing_that_moves_stands_out_of_a_moving_camera():
    rng = np.random.default_rng(0)
    ground, thing = (
        cv2.GaussianBlur(rng.integers(0, 255, size, np.uint8), (0, 0), 3) for size in ((180, 300), (60, 60))
    )

    def frame(t: int) -> np.ndarray:
        picture = ground[20:164, 20 + 3 * t : 276 + 3 * t].copy()  # the camera pans
        picture[40:100, 100 + 4 * t : 160 + 4 * t] = thing
        return picture

    moved = own_motion(flow_to(frame(0), frame(1)))
    inside = moved[45:95, 110:158]
    assert 5.5 < np.median(inside) < 8.5  # 4 to the right, of a ground that goes 3 to the left
    moved[20:120, 80:185] = 0
    assert np.percentile(moved, 95) < 0.5


def test_nothing_moves():
    assert own_motion(np.zeros((6, 9, 2), np.float32)).max() < 1e-6
