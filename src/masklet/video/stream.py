"""Forward-only frames: iterators, generators, cameras and network streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from .images import to_rgb_array
from .reader import EndOfStream


class StreamReader:
    """Reads frames from an iterator as they come and keeps the last few; the length is known once it has ended."""

    files: Sequence[Path] = ()
    times: Sequence[Fraction] | None = None

    def __init__(
        self,
        images: Iterator[Any],
        *,
        name: str,
        fps: float | None = None,
        window: int = 2,
        release: Callable[[], None] | None = None,
    ) -> None:
        """Take the first frame for the size.

        Args:
            images: Yields images as ``to_rgb_array`` takes them.
            name: What errors call the stream.
            fps: Frames per second, where known.
            window: Number of frames kept.
            release: Called once at closing.

        Raises:
            ValueError: The stream ends before its first frame, or that frame is malformed.
        """
        self.name = name
        self.fps = fps
        self.length: int | None = None
        self._images = images
        self._recent: deque[np.ndarray] = deque(maxlen=window)
        self._taken = 0
        self._release = release
        try:
            self._take()
        except EndOfStream:
            raise ValueError(f"The {name} gave no frame at all: expected at least one image.") from None
        self.size: tuple[int, int] = self._recent[-1].shape[:2]

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Advance to a frame, or give one of the last few.

        Raises:
            EndOfStream: The stream has ended before this frame.
            ValueError: The frame has passed and is no longer kept, or is malformed.
        """
        oldest = self._taken - len(self._recent)
        if index < oldest:
            raise ValueError(
                f"Frame {index} of the {self.name} has passed: a stream runs forward only and keeps frames {oldest} to "
                f"{self._taken - 1}. Save the stream to a file or collect its frames in a list to go back."
            )
        while self._taken <= index:
            self._take()
        return self._recent[index - self._taken]

    def close(self) -> None:
        """Let go of the frames and of the device behind them."""
        self._recent.clear()
        release, self._release = self._release, None
        if release is not None:
            release()

    def _take(self) -> None:
        try:
            image = next(self._images)
        except StopIteration:
            self.length = self._taken
            raise EndOfStream(f"The {self.name} ended after {self._taken} frames.") from None
        try:
            image = to_rgb_array(image)
        except ValueError as error:
            raise ValueError(f"Frame {self._taken} of the {self.name}: {error}") from error
        self._recent.append(image)
        self._taken += 1


def open_camera(address: int | str) -> StreamReader:
    """Open a camera by index, or a network stream by address, through OpenCV.

    Not covered by tests with a real device.

    Raises:
        ValueError: The device or address cannot be opened, or gives no picture.
    """
    name = f"camera {address}" if isinstance(address, int) else f"stream {address}"
    capture = cv2.VideoCapture(address)
    if not capture.isOpened():
        capture.release()
        raise ValueError(f"The {name} cannot be opened: check that it exists, is free and may be used by this user.")
    fps = capture.get(cv2.CAP_PROP_FPS)
    try:
        return StreamReader(_captured(capture), name=name, fps=fps if fps > 0 else None, release=capture.release)
    except ValueError:
        capture.release()
        raise


def _captured(capture: cv2.VideoCapture) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    while True:
        given, image = capture.read()
        if not given:
            return
        yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
