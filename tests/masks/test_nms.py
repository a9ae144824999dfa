from __future__ import annotations

import numpy as np
import pytest

from masklet.masks.nms import nms

BOXES = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [20, 0, 30, 10], [21, 0, 30, 10], [0, 0, 10, 10]], np.float32)


def test_the_best_of_those_that_overlap_stays():
    assert nms(BOXES, np.array([0.5, 0.9, 0.2, 0.3, 0.4], np.float32), 0.5).tolist() == [1, 3]
    assert nms(BOXES, np.array([0.5, 0.9, 0.2, 0.3, 0.4], np.float32), 0.85).tolist() == [1, 0, 3]
    assert nms(BOXES, np.array([0.5, 0.9, 0.2, 0.3, 0.4], np.float32), 1.0).tolist() == [1, 0, 4, 3, 2]


def test_equal_scores_keep_their_order():
    assert nms(BOXES, np.ones(5, np.float32), 0.5).tolist() == [0, 2]
    many = np.arange(400, dtype=np.float32)[:, None] * 10 + np.array([0, 0, 5, 5], np.float32)
    assert nms(many, np.ones(400, np.float32), 0.5).tolist() == [*range(400)]


def test_the_threshold_itself_is_not_above():
    pair = np.array([[0, 0, 4, 1], [0, 0, 2, 1]], np.float32)  # IoU 0.5
    scores = np.array([1, 0], np.float32)
    assert nms(pair, scores, 0.5).tolist() == [0, 1]
    assert nms(pair, scores, 0.499).tolist() == [0]


@pytest.mark.filterwarnings("error")
def test_boxes_without_area_overlap_nothing():
    flat = np.array([[3, 3, 3, 3], [3, 3, 3, 3], [0, 0, 9, 9]], np.float32)
    assert nms(flat, np.array([0.1, 0.2, 0.3], np.float32), 0.1).tolist() == [2, 1, 0]
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5).tolist() == []
