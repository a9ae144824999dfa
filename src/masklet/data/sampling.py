"""Random training samples from stills and clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from numpy.random import Generator

from .clips import ClipStore
from .cutouts import CutoutConfig, Pose, draw_sprite, paste
from .plain_folders import open_plain_folders
from .real_clips import RealClipConfig, real_clip
from .stills import StillStore, train_stills
from .synthetic import LEAST_AREA, ClipConfig, ClipSample, make_clip
from .transforms import ColourConfig, CropConfig, draw_crop, jitter_colours, warp_image, warp_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


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
        """List the training split under a data root; files are read when first needed.

        Raises:
            FileNotFoundError: It is not there or not complete.
            ValueError: A clip has no masks.
        """
        clips = open_plain_folders(Path(root) / "videos", "train")
        by_name = sorted(clips, key=lambda clip: clip.name)  # a seed means the clip of this place
        return TrainingData(StillStore(train_stills(root)), ClipStore(by_name))
