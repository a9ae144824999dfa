from __future__ import annotations

import numpy as np
import pytest

from masklet.inference.lives import Lives, overlaps
from masklet.inference.masklet_options import MaskletOptions
from masklet.inference.results import ObjectResult
from masklet.masks.rle import encode

SIZE = (20, 30)


def seen(object_id: int, x: int, iou: float = 0.9, presence: float = 20.0) -> ObjectResult:
    """A square of 10 pixels a side at some place."""
    mask = np.zeros(SIZE, bool)
    mask[5:15, x : x + 10] = True
    return ObjectResult(0, object_id, None, iou, presence, SIZE, kept=encode(mask if presence > 0 else ~mask & mask))


def play(options: MaskletOptions, frames: list[list[ObjectResult]]) -> list[dict[int, int]]:
    lives, said = Lives(options), []
    for t, frame in enumerate(frames):
        lives.observe({one.object_id: one for one in frame})
        said.append(lives.ends(t))
    return said


@pytest.mark.parametrize("lost", [seen(1, 0, iou=0.1), seen(1, 0, presence=-3.0)], ids=["unsure", "absent"])
def test_an_object_that_is_lost_ends_where_it_was_seen_last(lost: ObjectResult):
    options = MaskletOptions(patience=3)
    there = seen(1, 0)
    frames = [[one] for one in (there, lost, lost, there, lost, lost, lost)]
    assert play(options, frames) == [{}] * 6 + [{1: 3}]


def test_of_two_that_stay_the_same_the_less_sure_one_ends():
    options = MaskletOptions(window=3, most_overlap=0.6)
    apart, together = [seen(1, 0, 0.7), seen(2, 9, 0.8)], [seen(1, 1, 0.7), seen(2, 2, 0.8)]
    assert play(options, [together, together, apart, together, together, together]) == [{}] * 5 + [{1: 2}]
    assert play(options, [apart] * 9) == [{}] * 9


def test_an_object_that_ends_ends_no_other():
    """A chain: the middle one is the same as both others, which are not the same."""
    options = MaskletOptions(window=2, most_overlap=0.6)
    chain = [seen(1, 0, 0.9), seen(2, 2, 0.8), seen(3, 4, 0.7)]
    assert overlaps([one.rle() for one in chain])[0, 2] < 0.6
    assert play(options, [chain] * 2) == [{}, {2: -1}]


def test_what_counts_follows_from_the_last_frames():
    options = MaskletOptions(patience=4, window=3, most_overlap=0.6)
    random = np.random.default_rng(0)
    frames = [
        [seen(i, int(random.integers(0, 3)), float(random.choice([0.2, 0.9], p=[0.5, 0.5]))) for i in (1, 2, 3)]
        for _ in range(60)
    ]
    whole = play(options, frames)
    assert any(whole)
    memory = Lives(options).memory
    living = [t for t in range(memory, 60) if not any(whole[t - memory : t])]  # as long as nothing should have ended
    assert living
    for t in living:
        shift = t - memory + 1
        assert play(options, frames[shift : t + 1])[-1] == {i: last - shift for i, last in whole[t].items()}
