"""A small object in a session of its own, on a video that shows the frame around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..interaction.prompts import UserPrompt
from ..masks.boxes import box_of_mask
from ..masks.resize import resize_binary_mask, resize_logits
from ..model.sam2 import Sam2
from ..video.fitting import fit_frame
from ..video.frames import FrameSource
from ..video.windows import Box, Window, WindowReader
from .options import SessionOptions
from .results import FrameResult, ObjectResult
from .session import VideoSession

FINEST = 2.0  # pixels of the input, each way, that a pixel of the frame may become
OUTSIDE = -32.0  # logit of what is not looked at


class SmallObject:
    """Prompts and results in pixels of the frame, of an object that is looked at through a window.

    Args:
        object_id: Its id.
        source: The video.
        model: The model.
        options: Of its session.
        around: Sides of the window in sides of the object's box.
        box: Of the object, on the frame that is prompted next.
    """

    def __init__(
        self, object_id: int, source: FrameSource, model: Sam2, options: SessionOptions, around: float, box: Box
    ) -> None:
        self.object_id, self._around = object_id, around
        size = fit_frame(source.size, model.config.image_size, options.fit).content
        self._least = max(c / (FINEST * side) for c, side in zip(size, source.size, strict=True))
        self.reader = WindowReader(source, size, Window.around(box, source.size, around, self._least))
        self.session = VideoSession(FrameSource(self.reader), model, options=options)
        self._given: tuple[int, UserPrompt] | None = None
        self.tracked = False

    def sees(self, frame: int, given: UserPrompt) -> bool:
        """Whether a prompt lies in the window of a frame; that of a frame that is new is put where it does."""
        extent = extent_of(given)
        if not self.reader.has_seen(frame):
            share = self.reader.window.share
            window = Window.around(extent, self.reader.window.frame, self._around, max(share, self._least))
            self.reader.window = self.reader.window if self.reader.window.holds(extent) else window
        return self.reader.seen(frame).holds(extent)

    def prompt(self, frame: int, given: UserPrompt, *, clear: bool) -> ObjectResult:
        """Prompt it on a frame; all of it lies in the window."""
        window, (height, width) = self.reader.seen(frame), self.reader.size
        self._given = frame, self.with_earlier(frame, given, clear=clear)
        x0, y0, x1, y1 = window.box
        corner, scale = np.array((x0, y0), np.float32), np.array((width / (x1 - x0), height / (y1 - y0)), np.float32)
        inside = UserPrompt(
            (given.points - corner) * scale,
            given.labels,
            None if given.box is None else ((given.box.reshape(2, 2) - corner) * scale).ravel(),
            None if given.mask is None else resize_binary_mask(window.cut(given.mask), self.reader.size),
        )
        return self._in_frame(self.session.prompt(frame, self.object_id, clear=clear, **spoken(inside)))

    def with_earlier(self, frame: int, given: UserPrompt, *, clear: bool) -> UserPrompt:
        """A prompt with what was given on the same frame just before, if it does not replace that."""
        if clear or self._given is None or self._given[0] != frame or self._given[1].mask is not None:
            return given
        return self._given[1].extended(given)

    def begin(self, frame: int) -> None:
        """Tracking begins at a frame: if it was seen before, the way goes on from there."""
        self.tracked, self.reader.window = True, self.reader.seen(frame)

    def followed(self, result: FrameResult) -> ObjectResult:
        """What its session says of a frame, in the frame; the window goes where the object is."""
        one = self._in_frame(result[self.object_id])
        box, window = box_of_mask(one.mask), self.reader.window
        wanted = None if box is None else Window.around(box, window.frame, self._around, self._least)
        self.reader.window = window.moved(wanted)
        return one

    def _in_frame(self, result: ObjectResult) -> ObjectResult:
        assert result.low_logits is not None
        window = self.reader.seen(result.frame)
        full = torch.full(window.frame, OUTSIDE)
        with torch.inference_mode():
            x0, y0, x1, y1 = window.box
            full[y0:y1, x0:x1] = resize_logits(result.low_logits[None, None], (y1 - y0, x1 - x0))[0, 0]
        return replace(result, size=window.frame, exclusive=full, kept=None)


def extent_of(given: UserPrompt) -> Box:
    """The box around all that a prompt speaks of."""
    if given.mask is not None:
        x0, y0, x1, y1 = box_of_mask(given.mask) or (0, 0, 0, 0)
        return x0, y0, x1, y1
    corners = given.points if given.box is None else np.concatenate((given.points, given.box.reshape(2, 2)))
    (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
    return x0, y0, x1, y1


def spoken(given: UserPrompt) -> dict[str, Any]:
    """A prompt as sessions take it."""
    clicks = {} if not len(given.points) else {"points": given.points, "labels": given.labels}
    return clicks | {"box": given.box, "mask": given.mask}
