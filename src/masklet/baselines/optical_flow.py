"""A floor of video segmentation that looks at pixels: masks are carried from frame to frame by dense optical flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ..interaction.prompts import check_mask
from ..video.frames import FrameSource, open_source

Mask = Bool[np.ndarray, "h w"]


class OpticalFlow:
    """A :class:`masklet.tracker.Tracker` that warps every mask by OpenCV's DIS flow (arXiv 1603.03590) of its frames.

    Nothing tells an object from its surroundings, so it takes masks only. What leaves the frame or is covered does not
    come back. A prompt replaces what was carried to its frame; an object is in no frame before its first prompt
    (after its last one when propagating in reverse).
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
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
        grey = None
        for t in range(min(first, start, key=lambda t: step * t), last + step, step):
            if carried:
                before, grey = grey if grey is not None else self._grey(t - step), self._grey(t)
                flow = self._flow.calc(grey, before, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
                carried = {i: warp(soft, flow) for i, soft in carried.items()}
            for object_id, prompts in self._prompts.items():
                if t in prompts:
                    carried[object_id] = prompts[t].astype(np.float32)
            if step * t >= step * start:
                yield t, {i: soft >= 0.5 for i, soft in carried.items()}

    def _grey(self, t: int) -> UInt8[np.ndarray, "h w"]:
        return cv2.cvtColor(self._opened().frame(t), cv2.COLOR_RGB2GRAY)

    def _opened(self) -> FrameSource:
        if self._frames is None:
            raise RuntimeError("no video is open: call open(source) first")
        return self._frames


def warp(soft: Float[np.ndarray, "h w"], flow: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w"]:
    """A soft mask read at each pixel's place in the frame before; 0 where that lies outside.

    Args:
        soft: Mask of the frame before, 0..1.
        flow: From each pixel ``(x, y)`` of the new frame to its place in the frame before, in pixels.
    """
    height, width = soft.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(soft, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
