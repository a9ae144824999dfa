"""Frames and images a second, timed as the SAM 2 paper and its code do it: warm-up passes, then passes that count."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import UInt8

from ..tracker import ImageBatchSegmenter, ImageSegmenter
from .hardware import Hardware, hardware

if TYPE_CHECKING:
    from ..tracker import Tracker

CLICK = (210.0, 350.0)  # the official benchmark's, on its clip of 960 x 540 pixels
WARM_UP, PASSES = 5, 25  # sam2/benchmark.py; the warm-up is among the passes
IMAGE_BATCH = 10  # paper


@dataclass(frozen=True)
class Conditions:
    """What the numbers depend on and the protocols of trackers do not tell: the caller states it.

    The published numbers: an A100, bfloat16, videos one frame at a time, images in batches of ten; the image encoder
    compiled (paper) or every part (the official README).

    Attributes:
        device: Where the model is, as torch calls it.
        precision: Type that the model computes in.
        compiled: Compiled parts; none.
    """

    device: str = "cpu"
    precision: str = "float32"
    compiled: str = "nothing"


@dataclass(frozen=True)
class Speed:
    """The time of every pass.

    Attributes:
        unit: What is counted.
        count: Number of them in each pass.
        seconds: Of each pass, those of the warm-up first.
        warm_up: How many of the passes do not count.
        conditions: What the caller states.
        hardware: What it ran on.
        batch: How many go through the image encoder together.
    """

    unit: Literal["frames", "images"]
    count: int
    seconds: tuple[float, ...]
    warm_up: int
    conditions: Conditions
    hardware: Hardware
    batch: int = 1

    @property
    def rates(self) -> tuple[float, ...]:
        """Units a second of each pass that counts."""
        return tuple(self.count / s for s in self.seconds[self.warm_up :])

    @property
    def mean(self) -> float:
        """Units a second over all passes that count: all units by all seconds, as the official benchmark prints."""
        counted = self.seconds[self.warm_up :]
        return self.count * len(counted) / sum(counted)

    @property
    def median(self) -> float:
        """Median of the rates, which one disturbed pass does not move."""
        return statistics.median(self.rates)

    @property
    def spread(self) -> tuple[float, float]:
        """Lowest and highest rate."""
        return min(self.rates), max(self.rates)

    def __str__(self) -> str:
        low, high = self.spread
        with_ = f"batch {self.batch}, {self.conditions.precision}, compiled: {self.conditions.compiled}"
        return f"{self.median:.3g} {self.unit}/s ({low:.3g} to {high:.3g}, {len(self.rates)} passes; {with_})"


def tracking_speed(
    tracker: Tracker,
    clip: Any,
    *,
    click: tuple[float, float] = CLICK,
    warm_up: int = WARM_UP,
    passes: int = PASSES,
    conditions: Conditions | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Frames a second of tracking one object, which is clicked once on the first frame, through a whole clip.

    As in the official benchmark, opening the video and the click are not timed, and every pass tracks the clip from
    its first frame, whose answer stands. A tracker gives its masks in the memory of the CPU, so what is timed is done.

    Args:
        tracker: What is timed.
        clip: A video in any form that the tracker opens; the official one has 200 frames.
        click: ``(x, y)`` in pixels.
        warm_up: Passes that do not count.
        passes: All passes, the warm-up among them.
        conditions: Device, precision, compilation; by default a CPU, float32 and none.
        clock: Seconds since whenever.

    Raises:
        ValueError: No pass is left to count, or the tracker yields no frame, or not the same number each time.
    """
    _check_passes(warm_up, passes)
    tracker.open(clip)
    tracker.prompt(0, 1, points=np.array([click], np.float32), labels=np.ones(1, np.int64))

    def follow() -> int:
        return sum(1 for _ in tracker.propagate(start=0))

    return _timed(follow, "frames", warm_up, passes, conditions, clock)


def segmenting_speed(
    segmenter: ImageSegmenter | ImageBatchSegmenter,
    images: Sequence[UInt8[np.ndarray, "h w 3"]],
    *,
    batch: int = 1,
    warm_up: int = WARM_UP,
    passes: int = PASSES,
    conditions: Conditions | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Images a second, each encoded and then clicked once in its middle, for three candidates.

    Args:
        segmenter: What is timed.
        images: RGB.
        batch: Images that are encoded together (paper: 10); the last ones may be fewer.
        warm_up: Passes over all images that do not count.
        passes: All passes, the warm-up among them.
        conditions: As for :func:`tracking_speed`.
        clock: Seconds since whenever.

    Raises:
        ValueError: No pass is left to count, there is no image, or the segmenter takes them one by one only.
    """
    _check_passes(warm_up, passes)
    middles = [(image.shape[1] / 2, image.shape[0] / 2) for image in images]
    if batch < 1 or (batch > 1 and not isinstance(segmenter, ImageBatchSegmenter)):
        raise ValueError(f"got batch={batch}, expected 1: {type(segmenter).__name__} has no segment_batch")

    def one_by_one() -> int:
        assert isinstance(segmenter, ImageSegmenter)
        for image, middle in zip(images, middles, strict=True):
            segmenter.set_image(image)
            segmenter.predict(points=np.array([middle], np.float32), labels=np.ones(1, np.int64), multimask=True)
        return len(images)

    def together() -> int:
        assert isinstance(segmenter, ImageBatchSegmenter)
        for start in range(0, len(images), batch):
            segmenter.segment_batch(images[start : start + batch], middles[start : start + batch])
        return len(images)

    run = together if batch > 1 else one_by_one
    return replace(_timed(run, "images", warm_up, passes, conditions, clock), batch=batch)


def _check_passes(warm_up: int, passes: int) -> None:
    if not 0 <= warm_up < passes:
        raise ValueError(f"got {passes} passes, {warm_up} of them to warm up, expected at least one more than those")


def _timed(
    run: Callable[[], int],
    unit: Literal["frames", "images"],
    warm_up: int,
    passes: int,
    conditions: Conditions | None,
    clock: Callable[[], float],
) -> Speed:
    conditions = conditions or Conditions()
    counts, seconds = set(), []
    for _ in range(passes):
        began = clock()
        counts.add(run())
        seconds.append(clock() - began)
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"passes gave {sorted(counts)} {unit}, expected the same number above 0 in each")
    return Speed(unit, counts.pop(), tuple(seconds), warm_up, conditions, hardware(conditions.device))
