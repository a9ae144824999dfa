"""Frames that are handed in one at a time."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from jaxtyping import UInt8

from .images import to_rgb_array


class LiveFrames:
    """A video that grows while it is watched; only the last frames can be looked at again."""

    def __init__(self, keep: int = 8) -> None:
        self.keep = keep
        self.length = 0
        self.name = "live"
        self.fps: float | None = None
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
        self._size: tuple[int, int] | None = None

    @staticmethod
    def after(length: int, size: tuple[int, int] | None) -> LiveFrames:
        """A video of which so many frames have come, none of which can be looked at again."""
        frames = LiveFrames()
        frames.length, frames._size = length, size
        return frames

    @property
    def size(self) -> tuple[int, int]:
        """Height and width.

        Raises:
            ValueError: No frame has come yet.
        """
        if self._size is None:
            raise ValueError("no frame has come yet: call step(frame) first")
        return self._size

    def append(self, frame: object) -> int:
        """Take the next frame and return its index.

        Raises:
            ValueError: Not an image, or of another size than the first.
        """
        image = to_rgb_array(frame).copy()  # a camera may fill the same array again
        if self._size is None:
            self._size = image.shape[:2]
        elif image.shape[:2] != self._size:
            raise ValueError(f"frame {self.length} is {image.shape[:2]}, expected {self._size} as the first (h, w)")
        self._frames[self.length] = image
        if len(self._frames) > self.keep:
            self._frames.popitem(last=False)
        self.length += 1
        return self.length - 1

    def __len__(self) -> int:
        return self.length

    def frame(self, t: int) -> UInt8[np.ndarray, "h w 3"]:
        """A recent frame.

        Raises:
            IndexError: The frame has not come yet, or is no longer kept.
        """
        image = self._frames.get(t)  # one look: another thread may be at append
        if image is None:
            raise IndexError(f"live frame {t} cannot be read: kept are frames {list(self._frames) or 'none'}")
        return image

    def close(self) -> None:
        """Forget the frames."""
        self._frames.clear()
