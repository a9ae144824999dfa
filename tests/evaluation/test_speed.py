"""Passes are counted and timed; with a clock of our own every number is known."""

from __future__ import annotations

import numpy as np
import pytest

from masklet.evaluation.speed import Conditions, segmenting_speed, tracking_speed
from masklet.tracker import ImageSegmenter, Tracker

CLIP = np.zeros((4, 10, 12, 3), np.uint8)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Slow:
    """Takes the seconds that it is told for each pass, shared among the frames; opening and prompting cost more."""

    def __init__(self, clock, seconds, frames=4):
        self.clock, self.seconds, self.frames, self.asked = clock, list(seconds), frames, []

    def open(self, source):
        self.clock.now += 100

    def prompt(self, frame, object_id, *, points=None, labels=None, box=None, mask=None):
        self.clock.now += 100
        self.asked.append((frame, object_id, points.tolist(), labels.tolist()))
        return np.zeros((10, 12), bool)

    def propagate(self, *, start=None, stop=None, reverse=False):
        each = self.seconds.pop(0) / max(1, self.frames)
        for t in range(start, self.frames):
            self.clock.now += each
            yield t, {1: np.zeros((10, 12), bool)}


def test_passes_after_the_warm_up_count():
    clock = Clock()
    tracker = Slow(clock, [40, 2, 4, 1])
    assert isinstance(tracker, Tracker)
    speed = tracking_speed(tracker, CLIP, click=(5.0, 6.0), warm_up=1, passes=4, clock=clock)
    assert tracker.asked == [(0, 1, [[5, 6]], [1])]
    assert (speed.unit, speed.count, speed.warm_up) == ("frames", 4, 1)
    assert speed.seconds == pytest.approx((40, 2, 4, 1))
    assert speed.rates == pytest.approx((2, 1, 4))
    assert speed.mean == pytest.approx(12 / 7)
    assert speed.median == pytest.approx(2)
    assert speed.spread == pytest.approx((1, 4))
    assert str(speed) == "2 frames/s (1 to 4, 3 passes; batch 1, float32, compiled: nothing)"


def test_the_official_protocol_is_the_default():
    clock = Clock()
    tracker = Slow(clock, [2] * 25)
    speed = tracking_speed(tracker, CLIP, clock=clock)
    assert tracker.asked == [(0, 1, [[210, 350]], [1])]
    assert (len(speed.seconds), len(speed.rates)) == (25, 20)


def test_an_image_is_encoded_and_clicked_in_its_middle():
    clock, asked = Clock(), []

    class Segmenter:
        def set_image(self, image):
            clock.now += 3

        def predict(self, *, points=None, labels=None, box=None, mask_logits=None, multimask=True):
            clock.now += 1
            asked.append((points.tolist(), labels.tolist(), multimask))
            return np.zeros((3, 10, 12), bool), np.zeros(3)

    segmenter = Segmenter()
    assert isinstance(segmenter, ImageSegmenter)
    bf16 = Conditions(precision="bfloat16", compiled="image encoder")
    speed = segmenting_speed(segmenter, list(CLIP[:2]), warm_up=0, passes=2, conditions=bf16, clock=clock)
    assert asked == [([[6, 5]], [1], True)] * 4
    assert (speed.unit, speed.count, speed.seconds) == ("images", 2, (8, 8))
    assert speed.median == 0.25
    assert str(speed).endswith("batch 1, bfloat16, compiled: image encoder)")


class Single:
    def set_image(self, image): ...

    def predict(self, *, points=None, labels=None, box=None, mask_logits=None, multimask=True): ...


def test_images_go_in_batches():
    clock, asked = Clock(), []

    class Segmenter:
        def segment_batch(self, images, clicks):
            clock.now += 2
            asked.append((len(images), clicks))
            return [(np.zeros((3, 10, 12), bool), np.zeros(3))] * len(images)

    speed = segmenting_speed(Segmenter(), list(CLIP[:3]), batch=2, warm_up=0, passes=1, clock=clock)
    assert asked == [(2, [(6, 5)] * 2), (1, [(6, 5)])]
    assert (speed.count, speed.seconds, speed.batch) == (3, (4,), 2)
    assert "batch 2" in str(speed)
    with pytest.raises(ValueError, match="got batch=2, expected 1: Single has no segment_batch"):
        segmenting_speed(Single(), list(CLIP[:3]), batch=2)


def test_nothing_to_count_is_an_error():
    clock = Clock()
    with pytest.raises(ValueError, match="got 5 passes, 5 of them to warm up"):
        tracking_speed(Slow(clock, [1] * 5), CLIP, warm_up=5, passes=5, clock=clock)
    with pytest.raises(ValueError, match=r"passes gave \[0\] frames"):
        tracking_speed(Slow(clock, [1] * 2, frames=0), CLIP, warm_up=0, passes=2, clock=clock)
    with pytest.raises(ValueError, match=r"passes gave \[0\] images"):
        segmenting_speed(Single(), [], warm_up=0, passes=1, clock=clock)
