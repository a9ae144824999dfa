"""A data set of made-up clips, written as plain folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..masks.label_png import encode_label_png
from ..masks.palette import davis_palette
from ..video.atomic import write_bytes
from .stills import Stills
from .synthetic import ClipConfig, ClipSample, make_clip

JPEG_QUALITY = 95


def write_made_up_set(
    stills: Stills,
    out: Path,
    clips: int,
    *,
    frames: int = 24,
    objects: int = 2,
    size: int = 480,
    seed: int = 0,
    config: ClipConfig | None = None,
) -> Iterator[Path]:
    """Write clips made out of stills, and yield the folder of each.

    ``<out>/00000/frames/00000.jpg`` goes with the label map ``<out>/00000/masks/00000.png``. A clip depends on the seed
    and its number alone. One that is complete is left as it is, so that a run that was stopped goes on.

    Args:
        stills: Photos with regions.
        out: Folder to write into.
        clips: How many.
        frames: Length of each.
        objects: Objects of each, all of which are seen in its first frame.
        size: Side of the square frames in pixels.
        seed: Of everything random.
        config: What happens in a clip.

    Raises:
        ValueError: A number is below 1, there are over 255 objects, or no image has a whole object to cut out.
        OSError: A file cannot be written.
    """
    if min(clips, frames, objects, size) < 1 or objects > 255:
        raise ValueError(
            f"expected at least 1 clip, frame, object (255 at most) and pixel, got {clips}, {frames}, {objects}, {size}"
        )
    for number in range(clips):
        folder = out / f"{number:05d}"
        if not _complete(folder, frames):
            rng = np.random.default_rng((seed, number))
            _write(folder, make_clip(rng, stills, size, frames, objects, config))
        yield folder


def _complete(folder: Path, frames: int) -> bool:
    return all((folder / "masks" / f"{t:05d}.png").is_file() for t in range(frames))


def _write(folder: Path, clip: ClipSample) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    for t, (frame, masks) in enumerate(zip(clip.frames, clip.masks, strict=True)):
        labels = np.zeros(masks.shape[1:], np.uint8)
        for number, mask in enumerate(masks, start=1):
            labels[mask > 0] = number
        write_bytes(folder / "frames" / f"{t:05d}.jpg", cv2.imencode(".jpg", frame[..., ::-1], quality)[1].tobytes())
        write_bytes(folder / "masks" / f"{t:05d}.png", encode_label_png(labels, davis_palette()))
