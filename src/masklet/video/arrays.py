"""Frames that are already in memory: an array, a tensor, or a list of images."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from .images import to_rgb_array


class ArrayReader:
    """Reads frames from an array ``t h w c`` or a list of images, converting each when it is asked for."""

    fps: float | None = None
    files: Sequence[Path] = ()
    times: Sequence[Fraction] | None = None

    def __init__(self, images: Sequence[Any] | Any) -> None:
        """Keep the images (not a copy) and convert the first one for the size.

        Raises:
            ValueError: There is no frame, the array is not ``t h w c``, or the first image is malformed.
        """
        shape = getattr(images, "shape", None)
        if shape is not None and len(shape) != 4:
            raise ValueError(
                f"A video in one array has the shape (frames, height, width, channels), got {tuple(shape)}: "
                "add the missing axis, such as array[None] for a single image."
            )
        if len(images) == 0:
            raise ValueError("The video has no frames: the list or array is empty.")
        self._images = images
        self.length: int | None = len(images)
        self.name = f"{type(images).__name__} of {self.length} frames"
        self.size: tuple[int, int] = self.read(0).shape[:2]

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Convert one frame to 8-bit RGB.

        Raises:
            ValueError: The image is malformed; the message says which.
        """
        try:
            return to_rgb_array(self._images[index])
        except ValueError as error:
            raise ValueError(f"Frame {index}: {error}") from error

    def close(self) -> None:
        """Nothing is held open; the caller's images stay the caller's."""
