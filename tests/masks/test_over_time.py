from __future__ import annotations

import numpy as np
import pytest

from masklet.masks.over_time import agreement
from masklet.masks.rle import Rle, encode


def bar(start: int, stop: int) -> Rle:
    mask = np.zeros((4, 20), bool)
    mask[:, start:stop] = True
    return encode(mask)


def test_frames_on_which_one_is_not_visible_count_as_zero():
    tracks = [{0: bar(0, 10), 4: bar(0, 10)}, {8: bar(0, 4)}]
    others = [{0: bar(0, 10), 4: bar(5, 15), 8: bar(3, 7)}, {}]
    got = agreement(tracks, others)
    assert got.both.tolist() == [[2, 0], [1, 0]]
    assert got.either.tolist() == [[3, 2], [3, 1]]
    np.testing.assert_allclose(got.iou, [[1 + 5 / 15, 0], [1 / 7, 0]])
    np.testing.assert_allclose(got.mean_iou, [[(4 / 3) / 3, 0], [1 / 21, 0]])
    np.testing.assert_allclose(got.shared_iou, [[2 / 3, 0], [1 / 7, 0]])


def test_of_nothing():
    assert agreement([], [{0: bar(0, 1)}]).mean_iou.shape == (0, 1)
    assert agreement([{0: bar(0, 1)}], [{0: bar(0, 1)}]).mean_iou == pytest.approx(1)
