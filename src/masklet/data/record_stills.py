"""Stills out of any data set of images with masks, for cutting things out and filming them (``synthetic.py``)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from .records import AnnotatedVideo, VideoDataset
from .stills import MOST_PARTS, Region, Still, whole_thing
from .synthetic import ClipConfig

SET = "images"
"""Name of the only set of such stills."""
_INSIDE = 0.95


@dataclass(frozen=True)
class _Read:
    image: UInt8[ndarray, "h w 3"]
    parts: tuple[UInt8[ndarray, "h w"], ...]
    regions: tuple[Region, ...]


class RecordStills:
    """The images of a data set as stills: one part map each, a region for each mask.

    Masks are drawn from the largest to the smallest, so that one that lies in another is a part of it. What another one
    covers otherwise is lost to the larger. Images are read when asked for, and the last few are kept.

    Args:
        dataset: Images with masks.
        keep: Images to keep.

    Raises:
        ValueError: The data set holds videos, or is empty.
    """

    def __init__(self, dataset: VideoDataset, keep: int = 32) -> None:
        if not dataset.stills or not len(dataset):
            held = "videos" if not dataset.stills else "nothing"
            raise ValueError(f"made-up clips are made of images with masks, {dataset.root} holds {held}")
        stills = tuple(Still(str(number), SET, Path(name), ()) for number, name in enumerate(dataset.names))
        self.by_set = {SET: stills}
        self._dataset, self._keep = dataset, keep
        self._held: OrderedDict[Still, _Read] = OrderedDict()

    def image(self, still: Still) -> UInt8[ndarray, "h w 3"]:
        """The picture as RGB; must not be written to."""
        return self._read(still).image

    def parts(self, still: Still) -> tuple[UInt8[ndarray, "h w"], ...]:
        """Its part map: 0 for nothing, 1..255 for parts that the regions are made of."""
        return self._read(still).parts

    def regions(self, still: Still) -> tuple[Region, ...]:
        """A region for each mask."""
        return self._read(still).regions

    def _read(self, still: Still) -> _Read:
        found = self._held.get(still)
        if found is None:
            found = self._held[still] = _draw(self._dataset[int(still.name)])
            if len(self._held) > self._keep:
                self._held.popitem(last=False)
        self._held.move_to_end(still)
        return found


def of_records(config: ClipConfig) -> ClipConfig:
    """The same, with cut-outs from these stills."""
    return replace(config, cutouts=replace(config.cutouts, weights={SET: 1.0}))


def _draw(record: AnnotatedVideo) -> _Read:
    index = record.annotated[0] if record.annotated else 0
    masks = list(record.masks(index).values()) if record.annotated else []
    masks = sorted(masks, key=lambda mask: -int(mask.sum()))[:MOST_PARTS]
    parts = np.zeros(record.size, np.uint8)
    ids: list[list[int]] = []
    for number, mask in enumerate(masks, start=1):
        area = int(mask.sum())
        for larger, other in enumerate(masks[: number - 1]):
            if np.count_nonzero(mask & other) >= _INSIDE * area:
                ids[larger].append(number)
        ids.append([number])
        parts[mask] = number
    left = np.bincount(parts.ravel(), minlength=MOST_PARTS + 1)
    regions = []
    for own in ids:
        area = int(left[own].sum())
        if area:
            regions.append(Region(0, tuple(own), area, "", whole_thing(np.isin(parts, own))))
    return _Read(np.asarray(record.image(index)), (parts,), tuple(regions))
