"""Random training samples from stills and clips, and endless repeatable batches of them."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from numpy.random import Generator

from .clips import ClipStore
from .cutouts import CutoutConfig, Pose, draw_sprite, paste
from .real_clips import RealClipConfig, real_clip
from .sequences import iter_sequences
from .stills import StillStore, train_stills
from .synthetic import LEAST_AREA, ClipConfig, ClipSample, make_clip
from .transforms import ColourConfig, CropConfig, draw_crop, jitter_colours, warp_image, warp_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from collections.abc import Generator as Stream

    Batches = Stream[dict[str, ndarray], None, None]


_ATTEMPTS = 30


@dataclass(frozen=True)
class ImageConfig:
    """How image samples are drawn.

    Attributes:
        weights: How often each set is drawn from.
        power: Regions are drawn with probability proportional to this power of their area.
        area: Smallest and largest region as a fraction of the crop.
        union: Probability that a region is joined with one or two of its neighbours.
        paste: Probability that a cut-out is pasted; `twice` that it then counts twice among the masks.
    """

    weights: Mapping[str, float] = field(
        default_factory=lambda: {"bsds500": 0.5, "ccp": 0.28, "camvid": 0.2, "vipseg_demo": 0.02}
    )
    power: float = 0.7
    area: tuple[float, float] = (0.005, 0.9)
    union: float = 0.1
    paste: float = 0.3
    twice: float = 0.3
    crop: CropConfig = field(default_factory=CropConfig)
    colour: ColourConfig = field(default_factory=ColourConfig)
    cutouts: CutoutConfig = field(default_factory=lambda: CutoutConfig(area=(0.02, 0.4)))


def image_sample(
    rng: Generator, stills: StillStore, size: int = 256, count: int = 8, config: ImageConfig | None = None
) -> dict[str, UInt8[ndarray, "..."]]:
    """Draw a crop of a photo and `count` of its regions.

    Returns:
        `image` [size, size, 3] RGB and `masks` [count, size, size] of 0 and 1. Regions repeat where there are too few.

    Raises:
        ValueError: There are no stills of the sets in `config.weights`.
        RuntimeError: No crop with a region of the wanted size was found.
    """
    config = config or ImageConfig()
    sets = [name for name in stills.by_set if config.weights.get(name, 0) > 0]
    if not sets:
        raise ValueError(f"there are no stills of the sets {', '.join(config.weights)}: give a store with at least one")
    chances = np.array([config.weights[name] for name in sets])
    for _ in range(_ATTEMPTS):
        pool = stills.by_set[sets[rng.choice(len(sets), p=chances / chances.sum())]]
        still = pool[rng.integers(len(pool))]
        parts = stills.parts(still)
        to_source = draw_crop(rng, parts[0].shape[0], parts[0].shape[1], size, config.crop)
        maps = [warp_labels(part, to_source, size) for part in parts]
        regions = [(region.map, region.ids) for region in stills.regions(still)]
        extra = None
        if rng.random() < config.paste:
            image = warp_image(stills.image(still), to_source, size)
            extra = _paste_one(rng, image, stills, config)
            for labels in maps:
                labels[extra > 0] = 0
        areas = _areas(maps, regions)
        least, most = np.array(config.area) * size * size
        fits = (areas >= least) & (areas <= most)
        if extra is not None and not least <= int(extra.sum()) <= most:
            extra = None
        if not fits.any() and extra is None:
            continue
        if extra is None:
            image = warp_image(stills.image(still), to_source, size)
        (image,) = jitter_colours(rng, [image], config.colour)
        masks = [] if extra is None else [extra] * (2 if rng.random() < config.twice else 1)
        weights = np.where(fits, areas, 0.0) ** config.power
        while fits.any() and len(masks) < count:
            wanted = min(count - len(masks), int(fits.sum()))
            for index in rng.choice(len(regions), wanted, replace=False, p=weights / weights.sum()):
                masks.append(_mask(rng, maps, regions[index], most, config))
        masks = [masks[index % len(masks)] for index in range(count)]
        order = rng.permutation(count)
        return {"image": image, "masks": np.stack([masks[index] for index in order])}
    raise RuntimeError(f"no crop with a region of {config.area} of its area in {_ATTEMPTS} attempts: check the stills")


def _areas(maps: list[UInt8[ndarray, "s s"]], regions: list[tuple[int, tuple[int, ...]]]) -> ndarray:
    counts = [np.bincount(labels.ravel(), minlength=256) for labels in maps]
    return np.array([counts[index][list(ids)].sum() for index, ids in regions], np.float64)


def _mask(
    rng: Generator,
    maps: list[UInt8[ndarray, "s s"]],
    region: tuple[int, tuple[int, ...]],
    most: float,
    config: ImageConfig,
) -> UInt8[ndarray, "s s"]:
    import cv2

    labels, ids = maps[region[0]], list(region[1])
    table = np.zeros(256, np.uint8)
    table[ids] = 1
    mask = cv2.LUT(labels, table)
    if rng.random() >= config.union:
        return mask
    ring = cv2.dilate(mask, np.ones((3, 3), np.uint8)) - mask
    touching = np.bincount(labels[ring > 0], minlength=256)
    touching[0] = 0
    near = np.flatnonzero(touching >= 8)
    if len(near):
        wanted = min(int(rng.integers(1, 3)), len(near))
        table[rng.choice(near, wanted, replace=False, p=touching[near] / touching[near].sum())] = 1
        joined = cv2.LUT(labels, table)
        if joined.sum() <= most:
            return joined
    return mask


def _paste_one(
    rng: Generator, image: UInt8[ndarray, "s s 3"], stills: StillStore, config: ImageConfig
) -> UInt8[ndarray, "s s"]:
    size = len(image)
    cutout, scales = draw_sprite(rng, stills, size, config.cutouts)
    x, y = rng.uniform(0.1, 0.9, 2) * size
    return paste(image, cutout, Pose(float(x), float(y), *scales, float(rng.normal(0, 0.15))))


def clip_sample(
    rng: Generator,
    stills: StillStore,
    clips: ClipStore | None,
    size: int = 256,
    frames: int = 4,
    objects: int = 2,
    made_up: ClipConfig | None = None,
    real: RealClipConfig | None = None,
) -> ClipSample:
    """Draw a made-up clip or, with probability `real.share` where clips are given, a piece of a real one."""
    real = real or RealClipConfig()
    if clips is not None and clips.clips and rng.random() < real.share:
        for _ in range(_ATTEMPTS):
            sample = real_clip(rng, stills, clips, size, frames, objects, made_up or ClipConfig(), real)
            if sample is not None:
                return sample
    sample = make_clip(rng, stills, size, frames, objects, made_up)
    if rng.random() < 0.5 and sample.masks[-1].mean(axis=(1, 2)).min() >= LEAST_AREA:
        sample = ClipSample(sample.frames[::-1].copy(), sample.masks[::-1].copy(), sample.labelled[::-1].copy())
    return sample


@dataclass(frozen=True)
class TrainingData:
    """The stills and clips that training draws from."""

    stills: StillStore
    clips: ClipStore | None

    @staticmethod
    def open(root: str | os.PathLike[str]) -> TrainingData:
        """List the training split under a data root; files are read when first needed."""
        return TrainingData(StillStore(train_stills(root)), ClipStore(iter_sequences(Path(root), "train")))


def batches(
    data: TrainingData,
    kind: str,
    seed: int,
    rank: int = 0,
    world: int = 1,
    batch: int = 8,
    size: int = 256,
    masks: int = 8,
    frames: int = 4,
    objects: int = 2,
    start: int = 0,
    prefetch: int = 0,
    image: ImageConfig | None = None,
    made_up: ClipConfig | None = None,
    real: RealClipConfig | None = None,
) -> Batches:
    """Yield endless batches that depend on the seed, the rank and the number of the batch, and on nothing else.

    Args:
        data: Where samples come from.
        kind: `image` yields `images` [batch, size, size, 3] and `masks` [batch, masks, size, size]; `clip` yields
            `frames` [batch, frames, size, size, 3], `masks` [batch, frames, objects, size, size] and `labelled`
            [batch, frames]. All are uint8 (masks 0 or 1), `labelled` is bool.
        seed: With `rank` of `world` and the batch number, the seed of each batch.
        rank: Which process this is; processes get different batches.
        world: How many processes there are.
        batch: Samples in a batch.
        size: Side of the frames in pixels.
        masks: Regions of each image.
        frames: Frames of each clip.
        objects: Objects of each clip.
        start: Number of the first batch, to continue a run.
        prefetch: Batches that a background thread keeps ready; 0 makes each when it is asked for.
        image: How images are drawn.
        made_up: How made-up clips are drawn.
        real: How real clips are drawn.

    Raises:
        ValueError: `kind` is unknown, or rank and world do not fit.
    """
    if kind not in ("image", "clip"):
        raise ValueError(f"kind is {kind!r}, expected 'image' or 'clip'")
    if not 0 <= rank < world:
        raise ValueError(f"rank is {rank} of {world} processes, expected 0..{world - 1}")

    def make(number: int) -> dict[str, ndarray]:
        rng = np.random.default_rng([seed, number, rank, world, kind == "clip"])
        if kind == "image":
            drawn = [image_sample(rng, data.stills, size, masks, image) for _ in range(batch)]
            return {"images": np.stack([s["image"] for s in drawn]), "masks": np.stack([s["masks"] for s in drawn])}
        clips = [clip_sample(rng, data.stills, data.clips, size, frames, objects, made_up, real) for _ in range(batch)]
        return {name: np.stack([getattr(clip, name) for clip in clips]) for name in ("frames", "masks", "labelled")}

    return _ahead(make, start, prefetch) if prefetch else _one_by_one(make, start)


def _one_by_one(make: Callable[[int], dict[str, ndarray]], number: int) -> Batches:
    while True:
        yield make(number)
        number += 1


def _ahead(make: Callable[[int], dict[str, ndarray]], number: int, depth: int) -> Batches:
    """Make batches in one background thread, which ends when the iterator is closed."""
    ready: queue.Queue[dict[str, ndarray] | BaseException] = queue.Queue(depth)
    closed = threading.Event()

    def offer(item: dict[str, ndarray] | BaseException) -> None:
        while not closed.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in _one_by_one(make, number):
                offer(item)
                if closed.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            offer(error)

    thread = threading.Thread(target=work, name="masklet-batches", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        thread.join()
