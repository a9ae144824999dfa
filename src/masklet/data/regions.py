"""Images with masks to be segmented: held-out regions of BSDS500 and CCP, and first frames of any data set."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, UInt8

from .records import AnnotatedVideo
from .stills import Region, Still, StillStore, dev_stills

T = TypeVar("T")

SMALLEST_SHARE = 0.005
"""Regions below this share of the image are left out."""


@dataclass(frozen=True)
class ImageRegions:
    """An image and the masks that a segmenter has to find in it."""

    name: str
    image: UInt8[np.ndarray, "h w 3"]
    masks: Bool[np.ndarray, "n h w"]


def bsds_dev_regions(root: Path, limit: int = 8) -> Iterator[ImageRegions]:
    """Yield the held-out images of BSDS500 with regions of their first annotator.

    Args:
        root: Folder that holds ``splits.json`` and ``images``.
        limit: Most regions an image; more are sampled, always the same ones.

    Raises:
        FileNotFoundError: The data set is not there or not complete.
    """
    yield from still_regions((still for still, _ in _held_out(root, "bsds500")), limit)


def still_regions(stills: Iterable[Still], limit: int = 8) -> Iterator[ImageRegions]:
    """Yield photos with the regions of their first map, those that are not too small.

    Args:
        stills: Of :func:`masklet.data.stills.train_stills` or ``dev_stills``.
        limit: Most regions an image; more are sampled, always the same ones.
    """
    for still in stills:
        store = StillStore([still])
        first = [r for r in store.regions(still) if r.map == 0 and _large(r, store.parts(still)[0])]
        yield _image_regions(still, store, _sample(still.name, first, limit))


def ccp_dev_regions(root: Path, limit: int = 4) -> Iterator[ImageRegions]:
    """Yield the held-out CCP images: the whole person first, then parts (connected areas of one class).

    Args:
        root: Folder that holds ``splits.json`` and ``images``.
        limit: Most parts an image; more are sampled, always the same ones.

    Raises:
        FileNotFoundError: The data set is not there or not complete.
    """
    for still, store in _held_out(root, "ccp"):
        found = [r for r in store.regions(still) if _large(r, store.parts(still)[0])]
        person = [r for r in found if r.label == "person"]
        parts = [r for r in found if r.label != "person" and len(r.ids) == 1]
        yield _image_regions(still, store, person + _sample(still.name, parts, limit))


def first_frame_regions(
    videos: Iterable[AnnotatedVideo], *, smallest: float = 0.0, limit: int | None = None
) -> Iterator[ImageRegions]:
    """Yield the first annotated frame of each video or image that shows an object, with the objects seen there.

    Args:
        videos: A data set in any format: what :func:`masklet.data.open.open_dataset` gives.
        smallest: Objects below this share of the frame are left out, and a frame that shows no other.
        limit: Most objects a frame; more are sampled, always the same ones. An image of SA-1B has a hundred.
    """
    for video in videos:
        for frame in video.annotated:
            masks = list(video.masks(frame).values())
            if masks:
                kept = [mask for mask in masks if mask.mean() >= smallest]
                if kept:
                    yield ImageRegions(video.name, video.image(frame), np.stack(_sample(video.name, kept, limit)))
                break


def _held_out(root: Path, name: str) -> Iterator[tuple[Still, StillStore]]:
    stills = [still for still in dev_stills(root) if still.set == name]
    if not stills:
        raise FileNotFoundError(f"expected {name} photos under {root / 'images'}, found none: check the data folder")
    for still in stills:
        yield still, StillStore([still])


def _large(region: Region, part_map: np.ndarray) -> bool:
    return region.area >= SMALLEST_SHARE * part_map.size


def _sample(name: str, regions: list[T], limit: int | None) -> list[T]:
    """At most ``limit`` regions in their order; the choice depends on the image's name and their number alone."""
    if limit is None or len(regions) <= limit:
        return regions
    chosen = np.random.default_rng(zlib.crc32(name.encode())).choice(len(regions), limit, replace=False)
    return [regions[i] for i in sorted(chosen)]


def _image_regions(still: Still, store: StillStore, regions: list[Region]) -> ImageRegions:
    image, parts = store.image(still), store.parts(still)
    masks = [np.isin(parts[region.map], region.ids) for region in regions]
    stacked = np.stack(masks) if masks else np.zeros((0, *image.shape[:2]), bool)
    if stacked.shape[1:] != image.shape[:2]:
        raise ValueError(f"{still.image} is {image.shape[:2]}, its map {stacked.shape[1:]}: they must be of one size")
    return ImageRegions(f"{still.set}/{still.name}", image, stacked)
