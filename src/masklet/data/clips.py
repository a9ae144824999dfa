"""Real training clips: videos with masks in all or some of their frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from .records import AnnotatedVideo

if TYPE_CHECKING:
    from collections.abc import Iterable


class ClipStore:
    """Clips with their label maps kept in memory once they were read."""

    def __init__(self, clips: Iterable[AnnotatedVideo]) -> None:
        """Take the clips; their files are listed, none is read.

        Raises:
            ValueError: One has no annotated frame, or a mask without a frame.
        """
        self.clips = tuple(clips)
        for clip in self.clips:
            if not clip.annotated:
                raise ValueError(f"expected masks in {clip.truth.where}, found none: add them or remove the clip")
        self._labels: dict[tuple[str, int], UInt8[ndarray, "h w"]] = {}
        self._sizes: dict[tuple[str, int], dict[int, float]] = {}

    def labels(self, clip: AnnotatedVideo, index: int) -> UInt8[ndarray, "h w"] | None:
        """Object numbers (up to 255) of one frame (0 is background), or None where it is not annotated."""
        if index not in clip.annotated:
            return None
        key = (clip.name, index)
        if key not in self._labels:
            labels = np.zeros(clip.size, np.uint8)
            for object_id, mask in clip.masks(index).items():
                labels[mask] = object_id
            self._labels[key] = labels
        return self._labels[key]

    def objects(self, clip: AnnotatedVideo, index: int) -> dict[int, float]:
        """Fraction of the frame that each object covers; empty where the frame is not annotated."""
        key = (clip.name, index)
        if key not in self._sizes:
            labels = self.labels(clip, index)
            counts = np.zeros(1) if labels is None else np.bincount(labels.ravel()) / labels.size
            self._sizes[key] = {int(label): float(counts[label]) for label in np.flatnonzero(counts) if label > 0}
        return self._sizes[key]
