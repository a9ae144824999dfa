"""Frames from image files: a folder, a glob or a list of paths."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from .images import IMAGE_SUFFIXES, read_image
from .reader import FrameUnreadable

_DIGITS = re.compile(r"(\d+)")


def natural_key(path: Path | str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key by which ``frame2`` comes before ``frame10``; runs of digits count as numbers, case does not count."""
    text = str(path)
    parts = [
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in _DIGITS.split(text) if part
    ]
    return parts, text


def images_in_folder(folder: Path) -> list[Path]:
    """Image files directly in a folder, in natural order; hidden and other files are passed over.

    Raises:
        PermissionError: The folder may not be listed.
        ValueError: It holds no image, or one frame in two formats.
    """
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except PermissionError as error:
        raise PermissionError(error.errno, "No permission to list the folder", str(folder)) from error
    images = sorted((e for e in entries if e.suffix.lower() in IMAGE_SUFFIXES and e.is_file()), key=natural_key)
    if not images:
        inside = ", ".join(sorted(entry.name for entry in entries)[:5])
        raise ValueError(f"{folder} holds no image (.jpg, .png, ...): found {inside or 'nothing'}.")
    by_stem = defaultdict(list)
    for image in images:
        by_stem[image.stem].append(image.name)
    twins = next((names for names in by_stem.values() if len(names) > 1), None)
    if twins is not None:
        raise ValueError(
            f"{folder} holds the same frame in several files ({' and '.join(twins)}): "
            f"say which to take with a glob, such as {folder}/*{Path(twins[0]).suffix}."
        )
    return images


class ImageFilesReader:
    """Reads the frames of a video from image files, one a frame, in the order given."""

    fps: float | None = None
    times: Sequence[Fraction] | None = None

    def __init__(self, paths: Sequence[Path], *, name: str, max_pixels: int) -> None:
        """Read the first image for the size; the others are opened when asked for.

        Raises:
            FileNotFoundError: The first image is missing.
            PermissionError: The first image may not be read.
            ValueError: There is no path, or the first image is damaged or too large.
        """
        if not paths:
            raise ValueError(f"{name} has no images.")
        self.name = name
        self.length: int | None = len(paths)
        self.files: Sequence[Path] = list(paths)
        self._max_pixels = max_pixels
        self.size: tuple[int, int] = read_image(self.files[0], max_pixels=max_pixels).shape[:2]

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode one image.

        Raises:
            FileNotFoundError: The image has gone.
            PermissionError: The image may not be read.
            FrameUnreadable: It is damaged or has another size than the first; the message names the file.
        """
        path = self.files[index]
        try:
            image = read_image(path, max_pixels=self._max_pixels)
        except ValueError as error:
            raise FrameUnreadable(f"Frame {index} of {self.name}: {error}") from error
        if image.shape[:2] != self.size:
            height, width = self.size
            raise FrameUnreadable(
                f"{path} (frame {index}) has {image.shape[1]}x{image.shape[0]} pixels, but the first image, "
                f"{self.files[0].name}, has {width}x{height}: all frames of a video must have the same size."
            )
        return image

    def close(self) -> None:
        """Nothing is held open."""
