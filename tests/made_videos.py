"""Videos of small random masks: holes, touching borders, empty frames, objects that come late."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from masklet.data.frames import folder_frames
from masklet.data.open import open_dataset
from masklet.interchange.convert import WRITERS
from masklet.interchange.losses import Losses
from masklet.interchange.options import WriteOptions
from masklet.interchange.video_masks import VideoMasks, read_masks
from masklet.masks import rle

SIZE = (21, 34)
COUNT = 6

Drawn = dict[int, dict[int, np.ndarray]]  # by frame and object


def draw(seed: int, ids: list[int], *, overlap: bool = True, late: int = 2) -> Drawn:
    """Masks: the last object appears in frame ``late``, frame 3 shows nothing, others vanish now and then."""
    rng = np.random.default_rng(seed)
    drawn: Drawn = {}
    for frame in range(COUNT):
        found: dict[int, np.ndarray] = {}
        taken = np.zeros(SIZE, bool)
        for number in ids if frame != 3 else ():
            if (number == ids[-1] and frame < late) or rng.random() < 0.15:
                continue
            mask = blob(rng)
            if not overlap:
                mask &= ~taken
                taken |= mask
            if mask.any():
                found[number] = mask
        drawn[frame] = found
    return drawn


def blob(rng: np.random.Generator) -> np.ndarray:
    """A box, at times at the border of the image, with noise and holes in it, or one pixel."""
    mask = np.zeros(SIZE, bool)
    y, x = rng.integers(0, SIZE[0] - 1), rng.integers(0, SIZE[1] - 1)
    kind = rng.integers(4)
    if kind == 0:
        mask[y, x] = True
    elif kind == 1:
        mask[: y + 1, : x + 1] = True
    else:
        mask[y : y + 12, x : x + 15] = rng.random(mask[y : y + 12, x : x + 15].shape) < (0.8 if kind == 2 else 1.0)
        mask[y + 3 : y + 5, x + 2 : x + 6] = False
    return mask


def video_of(
    drawn: Mapping[int, Mapping[int, np.ndarray]],
    name: str = "walk",
    categories: Mapping[int, str] | None = None,
    pictures: Path | None = None,
) -> VideoMasks:
    """The plain value of drawn masks, with pictures in a folder."""
    files = tuple(f"{frame:05d}.png" for frame in range(COUNT))
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        for frame, file in enumerate(files):
            cv2.imwrite(str(pictures / file), np.full((*SIZE, 3), 20 * frame, np.uint8))
    masks = {t: {n: rle.encode(mask) for n, mask in sorted(found.items())} for t, found in drawn.items()}
    frames = None if pictures is None else folder_frames(pictures)
    return VideoMasks(name, SIZE, files, masks, {}, dict(categories or {}), False, frames, "made")


def written(to: str, out: Path, *videos: VideoMasks, polygons: bool = False, strict: bool = False) -> Losses:
    """Write videos with their pictures, where they have any."""
    losses = Losses(strict=strict)
    pictures = all(video.frames is not None for video in videos)
    out.mkdir(parents=True)
    WRITERS[to](iter(videos), out, WriteOptions(polygons=polygons, pictures=pictures), losses)
    return losses


def read_back(path: Path, format: str | None = None) -> list[VideoMasks]:
    """What our own readers make of a written folder."""
    dataset = open_dataset(path, format)
    return [read_masks(one, still=dataset.stills) for one in dataset]


def assert_same(video: VideoMasks, drawn: Mapping[int, Mapping[int, np.ndarray]]) -> None:
    """Equal frames, objects and pixels."""
    assert video.size == SIZE
    assert list(video.masks) == sorted(drawn)
    for frame, found in drawn.items():
        assert list(video.masks[frame]) == sorted(found), f"frame {frame}"
        for number, mask in found.items():
            np.testing.assert_array_equal(rle.decode(video.masks[frame][number]), mask)
