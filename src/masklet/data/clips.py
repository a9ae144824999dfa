"""Real training clips: folders of frames with label maps for all or some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from ..masks.label_png import read_label_png
from .sequences import VideoSequence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class ClipStore:
    """Clips with the frames' JPEG bytes and the label maps kept in memory once they were read."""

    def __init__(self, clips: Iterable[VideoSequence]) -> None:
        """Take the clips; nothing is read yet."""
        self.clips = tuple(clips)
        self._frames: dict[Path, UInt8[ndarray, " n"]] = {}
        self._labels: dict[Path, UInt8[ndarray, "h w"]] = {}
        self._sizes: dict[tuple[str, int], dict[int, float]] = {}

    def frame(self, clip: VideoSequence, index: int) -> UInt8[ndarray, "h w 3"]:
        """Decode one frame as RGB."""
        import cv2

        path = clip.frames[index]
        if path not in self._frames:
            self._frames[path] = np.fromfile(path, np.uint8)
        image = cv2.imdecode(self._frames[path], cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{path} cannot be decoded as an image")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)

    def labels(self, clip: VideoSequence, index: int) -> UInt8[ndarray, "h w"] | None:
        """Object numbers of one frame (0 is background), or None where it is not annotated."""
        path = clip.masks.get(index)
        if path is None:
            return None
        if path not in self._labels:
            self._labels[path] = read_label_png(path)
        return self._labels[path]

    def objects(self, clip: VideoSequence, index: int) -> dict[int, float]:
        """Fraction of the frame that each object covers; empty where the frame is not annotated."""
        key = (clip.name, index)
        if key not in self._sizes:
            labels = self.labels(clip, index)
            counts = np.zeros(1) if labels is None else np.bincount(labels.ravel()) / labels.size
            self._sizes[key] = {int(label): float(counts[label]) for label in np.flatnonzero(counts) if label > 0}
        return self._sizes[key]
