"""Clicks for trackers that know only masks: an image segmenter answers them, the tracker follows (SAM 2, E.1.4).

The paper's baselines SAM + XMem++ and SAM + Cutie. A frame that was tracked is corrected in the way which served best
there: clicks that make the segmenter repeat the tracker's mask are found first, the user's clicks are added to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ..interaction.clicks import center_click
from ..masks.rle import Rle, decode, encode
from ..tracker import ImageSegmenter, Tracker
from ..video.frames import FrameSource, open_source

Mask = Bool[np.ndarray, "h w"]
Clicks = list[tuple[tuple[float, float], int]]

REPEATED = 0.8
"""IoU with the tracker's mask from which on it counts as repeated (paper, E.1.4)."""
MOST_CLICKS = 8
"""Clicks after which repeating it is given up; the paper names no limit."""


class SamAndTracker:
    """A :class:`masklet.tracker.Tracker` made of an image segmenter and a tracker of masks.

    Args:
        segmenter: Turns clicks and boxes into masks.
        tracker: Follows masks.
        logits: Returns the low-resolution logits ``[m h4 w4]`` of the segmenter's last answer, which the next click on
            the same frame refines. None: clicks alone are passed.
    """

    def __init__(
        self,
        segmenter: ImageSegmenter,
        tracker: Tracker,
        logits: Callable[[], Float[np.ndarray, "m h4 w4"] | None] | None = None,
    ) -> None:
        self.segmenter, self.tracker, self._logits = segmenter, tracker, logits
        self._frames: FrameSource | None = None
        self._set: int | None = None
        self._tracked: dict[tuple[int, int], Rle] = {}
        self._repeating: dict[tuple[int, int], Clicks] = {}

    def open(self, source: Any) -> None:
        """Start on a new video, in any form that :func:`~masklet.video.frames.open_source` takes."""
        if self._frames is not None:
            self._frames.close()
        self._frames, self._set = open_source(source), None
        self._tracked, self._repeating = {}, {}
        self.tracker.open(source)

    def prompt(
        self, frame: int, object_id: int, *, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None
    ) -> Mask:
        """Give the tracker a mask, or what the segmenter makes of clicks and a box.

        An answer without any pixel is passed on, too: the object is not there.

        Raises:
            ValueError: There is no prompt, or a mask together with others.
            IndexError: The video has no such frame.
            RuntimeError: No video is open.
        """
        if mask is not None:
            return self.tracker.prompt(frame, object_id, points=points, labels=labels, box=box, mask=mask)
        if points is None and box is None:
            raise ValueError("got no prompt: pass points with labels, a box or a mask")
        self._show(frame)
        given: Clicks = [] if points is None else _clicks(points, labels)
        answer = self._answer([*self._repeat(frame, object_id), *given], box)
        return self.tracker.prompt(frame, object_id, mask=answer)

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, Mask]]]:
        """What the tracker yields; its masks are remembered, as the next prompt may correct them."""
        for frame, masks in self.tracker.propagate(start=start, stop=stop, reverse=reverse):
            self._tracked |= {(frame, i): encode(one) for i, one in masks.items()}
            yield frame, masks

    def _show(self, frame: int) -> None:
        if self._frames is None:
            raise RuntimeError("no video is open: call open(source) first")
        if not 0 <= frame < len(self._frames):
            raise IndexError(f"got frame {frame}, expected 0..{len(self._frames) - 1}")
        if self._set != frame:
            self.segmenter.set_image(self._frames.frame(frame))
            self._set = frame

    def _repeat(self, frame: int, object_id: int) -> Clicks:
        """Clicks with which the segmenter repeats what was tracked here before the first prompt; none if nothing was.

        Found once a frame: later clicks there, and later passes of the tracker, do not change them.
        """
        key = (frame, object_id)
        if key not in self._repeating:
            tracked = decode(self._tracked[key]) if key in self._tracked else None
            self._repeating[key] = [] if tracked is None or not tracked.any() else self._found(tracked)
        return self._repeating[key]

    def _found(self, wanted: Mask) -> Clicks:
        clicks: Clicks = []
        answer = None
        while len(clicks) < MOST_CLICKS and (answer is None or _iou(answer, wanted) <= REPEATED):
            clicks.append(center_click(wanted, answer))
            answer = self._answer(clicks, None)
        return clicks

    def _answer(self, clicks: Clicks, box: Any) -> Mask:
        """Click by click, as a user does: each refines what the ones before it gave."""
        masks, scores = self._predict(clicks[:1], box, None)
        best = int(np.argmax(scores))
        for count in range(2, len(clicks) + 1):
            refined = None if self._logits is None else self._logits()
            masks, _ = self._predict(clicks[:count], box, None if refined is None else refined[best])
            best = 0
        return masks[best]

    def _predict(self, clicks: Clicks, box: Any, refined: Any) -> tuple[np.ndarray, np.ndarray]:
        points = np.array([place for place, _ in clicks], np.float32) if clicks else None
        labels = np.array([label for _, label in clicks]) if clicks else None
        several = len(clicks) == 1 and box is None
        masks, scores = self.segmenter.predict(
            points=points, labels=labels, box=box, mask_logits=refined, multimask=several
        )
        return np.asarray(masks), np.asarray(scores)


def _clicks(points: Any, labels: Any) -> Clicks:
    places = np.asarray(points, np.float32).reshape(-1, 2)
    signs = np.ones(len(places), int) if labels is None else np.asarray(labels).reshape(-1)
    if len(signs) != len(places):
        raise ValueError(f"got {len(places)} points and {len(signs)} labels, expected as many of both")
    return [((float(x), float(y)), int(label)) for (x, y), label in zip(places, signs, strict=True)]


def _iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))
