"""Protocols that a video tracker and an image segmenter fit: ours, the official code and the baselines alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

Direction = Literal["forward", "backward", "both"]


@runtime_checkable
class Tracker(Protocol):
    """Tracks objects through one video at a time; masks are boolean at the video's size."""

    def open(self, source: Any) -> None:
        """Start on a new video (a folder, a file or a sequence of RGB ``uint8`` frames); forget the last one."""
        ...

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
        """Prompt one object on one frame (pixels of the video) and return its mask there.

        What is given replaces what was given for that object and frame before. On a frame that was tracked, and on one
        whose earlier clicks come again with new ones, clicks correct the mask that is there.
        """
        ...

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, Bool[np.ndarray, "h w"]]]]:
        """Yield ``(frame, {object_id: mask})`` from ``start`` to ``stop`` (both included).

        A prompted frame keeps the mask of its prompt. The caller may stop iterating, prompt, and propagate again from
        there or from an earlier frame: only the prompts and what was made of the frames before ``start`` count then
        (after it, in reverse), never what was made of later ones.
        """
        ...


@runtime_checkable
class ImageSegmenter(Protocol):
    """Segments objects of one image from prompts."""

    def set_image(self, image: Any) -> None:
        """Encode an RGB image."""
        ...

    def predict(
        self,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask_logits: Any = None,
        multimask: bool = True,
    ) -> tuple[Bool[np.ndarray, "m h w"], np.ndarray]:
        """Return candidate masks at the image's size and their predicted IoU."""
        ...


@runtime_checkable
class MaskProposer(Protocol):
    """Finds masks of everything in an image."""

    def propose(self, image: Any) -> list[Mapping[str, Any]]:
        """Return masks of an RGB image as COCO run lengths, the most confident first."""
        ...


@runtime_checkable
class ImageBatchSegmenter(Protocol):
    """Segments an object in each of several images, which are encoded together."""

    def segment_batch(
        self, images: Sequence[Any], clicks: Sequence[tuple[float, float]]
    ) -> list[tuple[Bool[np.ndarray, "m h w"], Float[np.ndarray, " m"]]]:
        """Return three candidates and their predicted IoU for one click ``(x, y)`` on the object of each RGB image."""
        ...
