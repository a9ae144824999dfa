"""Pieces of real annotated clips as training samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from .motion import camera_path, draw_times
from .synthetic import LEAST_AREA, ClipConfig, ClipSample, draw_actors, render
from .transforms import ColourConfig, CropConfig, draw_crop, jitter_colours, warp_image, warp_labels

if TYPE_CHECKING:
    from .clips import ClipStore
    from .records import AnnotatedVideo
    from .stills import StillStore


@dataclass(frozen=True)
class RealClipConfig:
    """How real clips are drawn: `paste` is the probability to add moving cut-outs where objects are too few."""

    share: float = 0.25
    longest: int = 4
    reverse: float = 0.5
    paste: float = 0.7
    crop: CropConfig = field(default_factory=lambda: CropConfig(scale=(0.35, 1.0), rotation=8.0))
    colour: ColourConfig = field(default_factory=ColourConfig)


def real_clip(
    rng: Generator,
    stills: StillStore,
    clips: ClipStore,
    size: int,
    frames: int,
    objects: int,
    made_up: ClipConfig,
    config: RealClipConfig,
) -> ClipSample | None:
    """Draw a piece of a real clip with `objects` objects, pasted or repeated where it has fewer.

    Returns:
        None where the drawn piece shows too little of its objects in the first frame: draw again.
    """
    clip = clips.clips[rng.integers(len(clips.clips))]
    steps = _frame_numbers(rng, clip, frames, config)
    sizes = clips.objects(clip, steps[0])
    first = clips.labels(clip, steps[0])
    if first is None or not sizes:
        return None
    to_source = draw_crop(rng, first.shape[0], first.shape[1], size, config.crop)
    counts = np.bincount(warp_labels(first, to_source, size).ravel(), minlength=256)
    seen = [label for label in sizes if LEAST_AREA * size * size <= counts[label] <= 0.9 * size * size]
    if not seen:
        return None
    chosen = [int(label) for label in rng.permutation(seen)[:objects]]
    pictures, masks = [], np.zeros((frames, len(chosen), size, size), np.uint8)
    labelled = np.zeros(frames, bool)
    for index, number in enumerate(steps):
        pictures.append(warp_image(clip.image(number), to_source, size))
        labels = clips.labels(clip, number)
        if labels is not None:
            labelled[index] = True
            masks[index] = warp_labels(labels, to_source, size) == np.array(chosen)[:, None, None]
    lacking = objects - len(chosen)
    if lacking and rng.random() < config.paste:
        times = draw_times(rng, frames, made_up.gap, made_up.longest)
        still_camera = camera_path(rng, times, size, 1e-6)
        actors = draw_actors(rng, stills, size, times, still_camera, lacking, made_up)[:lacking]
        pasted, added = render(rng, pictures, actors, times)
        masks = np.concatenate([masks * ~added.any(axis=1, keepdims=True), added], axis=1)
        pictures = list(pasted)
        if masks[0].mean(axis=(1, 2)).min() < LEAST_AREA:
            return None
    order = rng.permutation(masks.shape[1])
    masks = masks[:, [order[index % len(order)] for index in range(objects)]]
    pictures = jitter_colours(rng, pictures, config.colour)
    return ClipSample(np.stack(pictures), masks, labelled)


def _frame_numbers(rng: Generator, clip: AnnotatedVideo, frames: int, config: RealClipConfig) -> list[int]:
    """Draw frame numbers from an annotated one on, forward or backward; a short clip is played to and fro."""
    known = clip.annotated
    # Where few frames are annotated, mostly step over the others.
    sparse = len(known) < clip.frame_count and rng.random() < 0.7 and len(known) > 1
    pool = list(known) if sparse else list(range(clip.frame_count))
    start = pool.index(int(rng.choice(known)))
    stride = int(rng.integers(1, config.longest + 1))
    stride = max(1, min(stride, (len(pool) - 1) // max(frames - 1, 1)))
    sign = -1 if rng.random() < config.reverse else 1
    last = start + sign * stride * (frames - 1)
    if not 0 <= last < len(pool):
        sign = -sign if 0 <= start - sign * stride * (frames - 1) < len(pool) else sign
    span = len(pool) - 1
    numbers = []
    for step in range(frames):
        position = start + sign * stride * step
        if span:
            position = span - abs(position % (2 * span) - span)  # reflect at both ends
        else:
            position = 0
        numbers.append(pool[position])
    return numbers
