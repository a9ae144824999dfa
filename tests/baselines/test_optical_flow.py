"""Masks move as the pictures do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from masklet.baselines.optical_flow import OpticalFlow
from masklet.evaluation.metrics import jaccard
from masklet.tracker import Tracker

SPEED = 3
HEIGHT, WIDTH, COUNT = 80, 120, 6


def scene(frames=COUNT):
    """A textured square that moves right over a textured ground that stands still."""
    rng = np.random.default_rng(0)
    coarse = [rng.integers(low, high, (20, 30, 3), dtype=np.uint8) for low, high in ((0, 110), (140, 255))]
    ground, square = (cv2.resize(c, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) for c in coarse)
    made = []
    for t in range(frames):
        frame = ground.copy()
        frame[region(t)] = square[20:50, 20:50].reshape(-1, 3)
        made.append(frame)
    return made


def region(t):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:50, 20 + SPEED * t : 50 + SPEED * t] = True
    return mask


@pytest.fixture
def tracker():
    tracker = OpticalFlow()
    tracker.open(scene())
    return tracker


def test_a_square_is_followed(tracker):
    assert isinstance(tracker, Tracker)
    assert (tracker.prompt(0, 1, mask=region(0)) == region(0)).all()
    found = dict(tracker.propagate())
    assert list(found) == list(range(COUNT))
    assert (found[0][1] == region(0)).all()
    for t, masks in found.items():  # a floor: the border frays a little at every frame
        assert jaccard(masks[1], region(t)) > 0.8, t
    assert jaccard(region(0), region(COUNT - 1)) < 0.4  # what copying it gives


def test_a_picture_that_moves_as_a_whole_moves_masks_exactly():
    wide = scene(1)[0]
    tracker = OpticalFlow()
    tracker.open([wide[:, 12 - 2 * t : 102 - 2 * t] for t in range(COUNT)])
    tracker.prompt(0, 1, mask=region(0)[:, 12:102])
    for t, masks in tracker.propagate():
        assert jaccard(masks[1], region(0)[:, 12 - 2 * t : 102 - 2 * t]) > 0.97, t


def test_and_backward(tracker):
    tracker.prompt(5, 1, mask=region(5))
    found = dict(tracker.propagate(reverse=True))
    assert list(found) == [5, 4, 3, 2, 1, 0]
    assert jaccard(found[0][1], region(0)) > 0.8


def test_a_run_that_starts_later_carries_from_the_prompt(tracker):
    tracker.prompt(0, 1, mask=region(0))
    whole = dict(tracker.propagate())
    part = dict(tracker.propagate(start=3, stop=4))
    assert list(part) == [3, 4]
    assert all((part[t][1] == whole[t][1]).all() for t in part)


def test_objects_join_at_their_prompts_and_prompts_replace(tracker):
    tracker.prompt(1, 1, mask=region(1))
    tracker.prompt(3, 2, mask=region(0))
    tracker.prompt(3, 1, mask=region(4))
    found = dict(tracker.propagate(start=0))
    assert [sorted(masks) for masks in found.values()] == [[], [1], [1], [1, 2], [1, 2], [1, 2]]
    assert (found[3][1] == region(4)).all()
    assert (found[3][2] == region(0)).all()


def test_errors(tracker):
    with pytest.raises(ValueError, match="prompt an object"):
        next(tracker.propagate())
    for given in ({"points": [[1, 1]], "labels": [1]}, {"box": (1, 1, 5, 5)}, {}):
        with pytest.raises(ValueError, match="flow needs a mask and nothing else"):
            tracker.prompt(0, 1, **given)
    with pytest.raises(ValueError, match="height and width"):
        tracker.prompt(0, 1, mask=np.ones((3, 3), bool))
    with pytest.raises(IndexError, match=r"frame 6, expected 0\.\.5"):
        tracker.prompt(6, 1, mask=region(0))
    with pytest.raises(RuntimeError, match=r"call open\(source\) first"):
        OpticalFlow().prompt(0, 1, mask=region(0))


def test_open_forgets(tracker):
    tracker.prompt(0, 1, mask=region(0))
    tracker.open(scene(2))
    with pytest.raises(ValueError, match="prompt an object"):
        next(tracker.propagate())
