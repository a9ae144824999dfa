"""A floor of video segmentation that looks at pixels: masks are carried from frame to frame by dense optical flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from ..interaction.prompts import check_mask
from ..video.flow import flow_to, grey, warp
from ..video.frames import FrameSource, open_source

Mask = Bool[np.ndarray, "h w"]


class OpticalFlow:
    """A :class:`masklet.tracker.Tracker` that warps every mask by OpenCV's DIS flow (arXiv 1603.03590) of its frames.

    Nothing tells an object from its surroundings, so it takes masks only. What leaves the frame or is covered does not
    come back. A prompt replaces what was carried to its frame; an object is in no frame before its first prompt
    (after its last one when propagating in reverse).
    """

    def __init__(self) -> None:
        self._frames: FrameSource | None = None
        self._prompts: dict[int, dict[int, np.ndarray]] = {}

    def open(self, source: Any) -> None:
        """Start on a new video, in any form that :func:`~masklet.video.frames.open_source` takes."""
        if self._frames is not None:
            self._frames.close()
        self._frames, self._prompts = open_source(source), {}

    def prompt(
        self, frame: int, object_id: int, *, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None
    ) -> Mask:
        """Keep a mask; one without any pixel says that the object is not there.

        Raises:
            ValueError: No mask is given, or something else is; the mask is of another size than the frame.
            IndexError: The video has no such frame.
            RuntimeError: No video is open.
        """
        frames = self._opened()
        if mask is None or any(given is not None for given in (points, labels, box)):
            raise ValueError("flow needs a mask and nothing else: got points, a box or no prompt; pass mask=")
        if not 0 <= frame < len(frames):
            raise IndexError(f"got frame {frame}, expected 0..{len(frames) - 1}")
        absent = np.shape(mask) == frames.size and not np.asarray(mask).any()
        kept = np.zeros(frames.size, bool) if absent else check_mask(mask, frames.size)
        self._prompts.setdefault(object_id, {})[frame] = kept
        return kept

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, Mask]]]:
        """Yield ``(frame, {object_id: mask})``, from the first prompted frame to the last frame unless told otherwise.

        Masks are carried from the prompts on, also over frames before ``start``, which are not yielded.

        Raises:
            ValueError: Nothing has been prompted.
            RuntimeError: No video is open.
        """
        frames, step = self._opened(), -1 if reverse else 1
        if not self._prompts:
            raise ValueError("nothing to propagate: prompt an object with a mask first")
        prompted = [frame for prompts in self._prompts.values() for frame in prompts]
        first = max(prompted) if reverse else min(prompted)
        last = stop if stop is not None else (0 if reverse else len(frames) - 1)
        if start is None:
            start = first
        carried: dict[int, np.ndarray] = {}  # soft masks: rounding at every frame would wear them away
        now = None
        for t in range(min(first, start, key=lambda t: step * t), last + step, step):
            if carried:
                before, now = grey(frames.frame(t - step)) if now is None else now, grey(frames.frame(t))
                flow = flow_to(before, now)
                carried = {i: warp(soft, flow) for i, soft in carried.items()}
            for object_id, prompts in self._prompts.items():
                if t in prompts:
                    carried[object_id] = prompts[t].astype(np.float32)
            if step * t >= step * start:
                yield t, {i: soft >= 0.5 for i, soft in carried.items()}

    def _opened(self) -> FrameSource:
        if self._frames is None:
            raise RuntimeError("no video is open: call open(source) first")
        return self._frames
