"""A window that follows something through a video, and the video that is seen through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from .frames import FrameSource

ZOOM = 1.25  # the window keeps its size until the wanted one is so many times as large or as small
Box = tuple[int | float, int | float, int | float, int | float]


@dataclass(frozen=True)
class Window:
    """A part of a frame with the frame's aspect.

    Attributes:
        frame: Height and width of the frame.
        share: Its sides over those of the frame, at most 1.
        center: ``(x, y)`` in pixels, as wished for: near an edge of the frame the window ends there.
    """

    frame: tuple[int, int]
    share: float = 1.0
    center: tuple[float, float] = (0.0, 0.0)

    @staticmethod
    def around(box: Box, frame: tuple[int, int], times: float, least: float) -> Window:
        """A window ``times`` as large as a box ``(x0, y0, x1, y1)``, its share at least ``least``."""
        x0, y0, x1, y1 = box
        share = times * max((x1 - x0) / frame[1], (y1 - y0) / frame[0])
        return Window(frame, min(max(share, least), 1.0), ((x0 + x1) / 2, (y0 + y1) / 2))

    def moved(self, wanted: Window | None) -> Window:
        """The window of the next frame: where it is wanted, but of another size only if it must; None: wider."""
        if wanted is None:
            return replace(self, share=min(self.share * ZOOM, 1.0))
        keeps = 1 / ZOOM < wanted.share / self.share < ZOOM
        return replace(wanted, share=self.share) if keeps else wanted

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``(x0, y0, x1, y1)`` in pixels, right and bottom exclusive."""
        height, width = self.frame
        h, w = (max(1, round(self.share * side)) for side in self.frame)
        x, y = round(self.center[0] - w / 2), round(self.center[1] - h / 2)
        x, y = min(max(x, 0), width - w), min(max(y, 0), height - h)
        return x, y, x + w, y + h

    def holds(self, box: Box) -> bool:
        """Whether a box lies inside."""
        x0, y0, x1, y1 = self.box
        return box[0] >= x0 and box[1] >= y0 and box[2] <= x1 and box[3] <= y1

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The part of an image of the frame's size."""
        x0, y0, x1, y1 = self.box
        return image[y0:y1, x0:x1]


class WindowReader:
    """Reads the frames of a source through a window, at one size; wrap it in a ``FrameSource``.

    A frame is seen through the window that was there when it was read first, ever after.

    Attributes:
        window: Through which the next new frame is seen.
        size: Height and width that windows are scaled to.
    """

    files: Sequence[Path] = ()

    def __init__(self, source: FrameSource, size: tuple[int, int], window: Window) -> None:
        self._source, self.size, self.window = source, size, window
        self._windows: dict[int, Window] = {}
        self.name = f"window on {source.name}"
        self.fps: float | None = source.fps
        self.times: Sequence[Fraction] | None = source.times
        self.length = source.length

    def has_seen(self, index: int) -> bool:
        """Whether a frame has its window already."""
        return index in self._windows

    def seen(self, index: int) -> Window:
        """The window of a frame, which stays its window."""
        return self._windows.setdefault(index, self.window)

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """What is seen of a frame; area averages when both sides shrink, else bilinear."""
        part = self.seen(index).cut(self._source.frame(index))
        self.length = self._source.length  # of a stream known only when it has ended
        height, width = self.size
        shrinks = part.shape[0] >= height and part.shape[1] >= width
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def close(self) -> None:
        """The source stays open: it is not the reader's."""
