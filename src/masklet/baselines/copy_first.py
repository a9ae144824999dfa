"""The floor of video segmentation: the prompted mask stays where it is in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from ..data.frames import PICTURES


class CopyFirst:
    """A :class:`masklet.tracker.Tracker` that copies an object's latest prompted mask to all other frames.

    It looks at no pixel, so it takes masks only. An object is in no frame before its first prompt (after its last
    one when propagating in reverse).
    """

    def __init__(self) -> None:
        self._count = 0
        self._prompts: dict[int, dict[int, np.ndarray]] = {}

    def open(self, source: Any) -> None:
        """Start on a new video: a folder of images or a sequence of frames, of which only the number matters."""
        self._prompts = {}
        if isinstance(source, str | Path):
            self._count = sum(p.suffix.lower() in PICTURES for p in Path(source).iterdir())
        else:
            self._count = len(source)

    def prompt(
        self,
        frame: int,
        object_id: int,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
    ) -> Bool[np.ndarray, "h w"]:
        """Keep a mask.

        Raises:
            ValueError: No mask is given, or something else is.
            IndexError: The video has no such frame.
        """
        if mask is None or any(given is not None for given in (points, labels, box)):
            raise ValueError("copying needs a mask and nothing else: got points, a box or no prompt; pass mask=")
        if not 0 <= frame < self._count:
            raise IndexError(f"got frame {frame}, expected 0..{self._count - 1}: open the video first")
        kept = np.asarray(mask) > 0
        self._prompts.setdefault(object_id, {})[frame] = kept
        return kept

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, Bool[np.ndarray, "h w"]]]]:
        """Yield ``(frame, {object_id: mask})``, from the first prompted frame to the last frame unless told otherwise.

        Raises:
            ValueError: Nothing has been prompted.
        """
        if not self._prompts:
            raise ValueError("nothing to propagate: prompt an object with a mask first")
        frames = [frame for prompts in self._prompts.values() for frame in prompts]
        first = start if start is not None else (max(frames) if reverse else min(frames))
        last = stop if stop is not None else (0 if reverse else self._count - 1)
        for frame in range(first, last - 1, -1) if reverse else range(first, last + 1):
            found = {}
            for object_id, prompts in self._prompts.items():
                seen = [p for p in prompts if (p >= frame if reverse else p <= frame)]
                if seen:
                    found[object_id] = prompts[min(seen) if reverse else max(seen)]
            yield frame, found
