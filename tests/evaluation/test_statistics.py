"""Recall and decay as DAVIS counts them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from masklet.evaluation.statistics import decay, recall


def quarters(count: int) -> tuple[range, range]:
    """First and last quarter of frames counted from 1, halves rounded up, both ends included."""
    ends = [math.floor(1 + (count - 1) * i / 4 + 0.5) for i in range(5)]
    return range(ends[0] - 1, ends[1]), range(ends[3] - 1, ends[4])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 50, 104, 255, 256, 257, 600, 3000])
def test_decay_is_between_the_first_and_the_last_quarter(count: int):
    values = np.random.default_rng(count).random(count)
    first, last = ([values[i] for i in quarter] for quarter in quarters(count))
    assert decay(list(values)) == pytest.approx(sum(first) / len(first) - sum(last) / len(last), abs=1e-12)


def test_decay_of_a_long_video_is_not_cut_to_its_first_frames():
    values = [1.0] * 300 + [0.0] * 300
    assert decay(values) == 1
    assert decay(values[::-1]) == -1


def test_recall_counts_what_is_above_one_half():
    assert recall([0.5, 0.51, 0.2, 1.0]) == 0.5
    assert recall((0.5,)) == 0


def test_known_values():
    values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]  # quarters: frames 1-3, and 6-8 because 6.25 rounds down
    assert decay(values) == pytest.approx(0.8 - 0.3)
    assert recall(values) == 0.5


def test_no_frame_is_named():
    for statistic in (recall, decay):
        with pytest.raises(ValueError, match="no value"):
            statistic([])
