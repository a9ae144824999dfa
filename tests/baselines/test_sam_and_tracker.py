"""A segmenter that answers clicks with discs, and a tracker that copies masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from masklet.baselines.copy_first import CopyFirst
from masklet.baselines.sam_and_tracker import MOST_CLICKS, SamAndTracker
from masklet.tracker import ImageSegmenter, Tracker

HEIGHT, WIDTH = 40, 60


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


class Discs:
    """Each positive click adds a disc, each negative one takes it away; of three answers the middle one is best."""

    def __init__(self) -> None:
        self.images: list[int] = []
        self.asked: list[tuple[Any, Any, bool]] = []
        self.count = 0

    def set_image(self, image: Any) -> None:
        self.images.append(int(np.asarray(image)[0, 0, 0]))

    def predict(
        self,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask_logits: Any = None,
        multimask: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append((points, mask_logits, multimask))
        self.count += 1
        mask = np.zeros((HEIGHT, WIDTH), bool)
        if box is not None:
            x0, y0, x1, y1 = (int(v) for v in box)
            mask[y0 : y1 + 1, x0 : x1 + 1] = True
        for (x, y), label in zip(
            points if points is not None else [], labels if labels is not None else [], strict=True
        ):
            mask = mask | disc(x, y, 6) if label else mask & ~disc(x, y, 6)
        if multimask:
            return np.stack([~mask, mask, ~mask]), np.array([0.1, 0.9, 0.2])
        return mask[None], np.array([0.5])

    def logits(self) -> np.ndarray:
        return np.full((3, 10, 15), float(self.count))


@pytest.fixture
def discs() -> Discs:
    return Discs()


@pytest.fixture
def tracker(discs: Discs) -> SamAndTracker:
    both = SamAndTracker(discs, CopyFirst(), discs.logits)
    both.open([np.full((HEIGHT, WIDTH, 3), t, np.uint8) for t in range(5)])
    return both


def test_it_fits_the_protocol(tracker: SamAndTracker, discs: Discs) -> None:
    assert isinstance(tracker, Tracker)
    assert isinstance(discs, ImageSegmenter)


def test_clicks_become_a_mask_that_is_followed(tracker: SamAndTracker, discs: Discs) -> None:
    shown = tracker.prompt(1, 7, points=[[20, 20]], labels=[1])
    assert np.array_equal(shown, disc(20, 20, 6))
    followed = dict(tracker.propagate())
    assert sorted(followed) == [1, 2, 3, 4]
    assert all(np.array_equal(masks[7], shown) for masks in followed.values())
    assert discs.images == [1]


def test_clicks_refine_one_another(tracker: SamAndTracker, discs: Discs) -> None:
    shown = tracker.prompt(0, 1, points=[[20, 20], [40, 20]], labels=[1, 1])
    assert np.array_equal(shown, disc(20, 20, 6) | disc(40, 20, 6))
    (_, none, several), (points, logits, one) = discs.asked
    assert none is None
    assert several
    assert len(points) == 2
    assert not one
    assert logits.shape == (10, 15)
    assert float(logits[0, 0]) == 1.0


def test_boxes_and_masks(tracker: SamAndTracker, discs: Discs) -> None:
    shown = tracker.prompt(0, 1, box=[10, 5, 20, 15])
    assert int(shown.sum()) == 11 * 11
    given = disc(30, 20, 9)
    assert np.array_equal(tracker.prompt(0, 2, mask=given), given)
    assert len(discs.asked) == 1


def test_a_tracked_frame_is_repeated_before_it_is_corrected(tracker: SamAndTracker, discs: Discs) -> None:
    given = disc(20, 20, 6) | disc(34, 20, 6)
    tracker.prompt(0, 1, mask=given)
    list(tracker.propagate())
    shown = tracker.prompt(3, 1, points=[[50, 20]], labels=[1])
    points = discs.asked[-1][0]
    assert 2 <= len(points) <= MOST_CLICKS + 1
    assert tuple(points[-1]) == (50, 20)
    assert np.array_equal(shown, given | disc(50, 20, 6))
    before = discs.count
    tracker.prompt(3, 1, points=[[50, 20], [8, 8]], labels=[1, 1])
    assert discs.count == before + len(points) + 1  # the clicks that repeat it are not looked for again
    assert {tuple(p) for p in points} <= {tuple(p) for p in discs.asked[-1][0]}


def test_what_cannot_be_repeated_is_given_up(tracker: SamAndTracker, discs: Discs) -> None:
    stripes = np.zeros((HEIGHT, WIDTH), bool)
    stripes[::4] = True
    tracker.prompt(0, 1, mask=stripes)
    list(tracker.propagate())
    tracker.prompt(2, 1, points=[[5, 4]], labels=[1])
    assert len(discs.asked[-1][0]) == MOST_CLICKS + 1


def test_an_empty_answer_says_that_the_object_is_gone(tracker: SamAndTracker) -> None:
    tracker.prompt(0, 1, points=[[20, 20]], labels=[1])
    list(tracker.propagate())
    assert not tracker.prompt(3, 1, points=[[20, 20]], labels=[0]).any()
    assert [bool(masks[1].any()) for _, masks in tracker.propagate()] == [True, True, True, False, False]


def test_open_forgets(tracker: SamAndTracker, discs: Discs) -> None:
    tracker.prompt(0, 1, points=[[20, 20]], labels=[1])
    list(tracker.propagate())
    tracker.open([np.full((HEIGHT, WIDTH, 3), t, np.uint8) for t in range(2)])
    tracker.prompt(1, 1, points=[[30, 20]], labels=[1])
    assert len(discs.asked[-1][0]) == 1


def test_bad_prompts(tracker: SamAndTracker) -> None:
    with pytest.raises(ValueError, match="no prompt"):
        tracker.prompt(0, 1)
    with pytest.raises(ValueError, match="2 points and 1 labels"):
        tracker.prompt(0, 1, points=[[1, 1], [2, 2]], labels=[1])
    with pytest.raises(IndexError, match=r"frame 9, expected 0\.\.4"):
        tracker.prompt(9, 1, points=[[1, 1]], labels=[1])
    with pytest.raises(RuntimeError, match="open"):
        SamAndTracker(Discs(), CopyFirst()).prompt(0, 1, points=[[1, 1]], labels=[1])
