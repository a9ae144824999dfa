"""Masklets on their way in: read and found good, a file for each video, a line for each object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..interchange.options import WriteOptions
from ..interchange.video_masks import VideoMasks
from ..masks import rle
from .stored_masks import StoredMask
from .wording import line

_CERTAIN = 10.0  # presence logit of a mask that somebody else vouches for


@dataclass(frozen=True)
class StagedMasklet:
    """An object of a video and its masks.

    Attributes:
        name: What the data set calls it; None: nothing.
        masks: Of the annotated frames of which the data set says where it is, or that it is not there.
    """

    name: str | None
    masks: tuple[StoredMask, ...]


def stage(file: Path, masks: VideoMasks, every: int, room: int) -> int:
    """Write the masks of frames 0, every, 2 every ...; gives how many bytes it took.

    Args:
        file: Where to; there is nothing yet.
        masks: Of a video.
        every: Distance of the frames.
        room: Most bytes.

    Raises:
        ValueError: It takes more, or a name cannot be that of an object.
    """
    taken = 0
    with file.open("x", encoding="ascii") as out:
        for text in _lines(masks, every):
            taken += len(text)
            if taken > room:
                raise ValueError(f"the masks of {masks.name} take more room than is allowed: import fewer at a time")
            out.write(text)
    return taken


def staged(file: Path, size: tuple[int, int]) -> list[StagedMasklet]:
    """What :func:`stage` wrote, of a video of height and width ``size``."""
    with file.open(encoding="ascii") as lines:
        contents = map(json.loads, lines)
        return [StagedMasklet(one["name"], tuple(_stored(size, *mask) for mask in one["masks"])) for one in contents]


def _lines(masks: VideoMasks, every: int) -> Iterator[str]:
    for number in masks.objects:
        category = masks.categories.get(number)
        name = None if category in (None, WriteOptions().category) else line(category, "the name of an object", 200)
        rows = []
        for frame, codes in masks.masks.items():
            if frame % every or number in masks.unknown.get(frame, ()):
                continue
            code = codes.get(number)
            rows.append([frame, None, 0] if code is None else [frame, code["counts"], rle.area(code)])
        yield json.dumps({"name": name, "masks": rows}) + "\n"


def _stored(size: tuple[int, int], frame: int, counts: str | None, area: int) -> StoredMask:
    if counts is None:
        return StoredMask(frame, _nothing(size), 0, 1.0, -_CERTAIN, 1.0, False)
    return StoredMask(frame, counts.encode("ascii"), area, 1.0, _CERTAIN, 1.0, False)


@lru_cache(maxsize=8)
def _nothing(size: tuple[int, int]) -> bytes:
    """Run lengths of an empty mask."""
    return rle.encode(np.zeros(size, bool))["counts"].encode("ascii")
