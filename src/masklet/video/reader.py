"""What a kind of frame source supplies, and how it says that a frame cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8


class EndOfStream(IndexError):
    """A frame past the end of a source whose length was not known before."""


class FrameUnreadable(ValueError):
    """A frame that the source lists but cannot give: a damaged or cut-off file, or a frame of another size."""


@runtime_checkable
class FrameReader(Protocol):
    """What a kind of source supplies; ``FrameSource`` adds range checks, a cache and a lock.

    Attributes:
        name: What errors and logs call the source.
        size: Height and width of every frame, upright.
        length: Number of frames; None while unknown.
        fps: Frames per second; of a variable rate the mean; None when the source has no clock.
        files: Files that frames are read from; none for arrays and streams.
        times: Seconds from the first frame to each; None when the source has no clock.
    """

    name: str
    size: tuple[int, int]
    length: int | None
    fps: float | None
    files: Sequence[Path]
    times: Sequence[Fraction] | None

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Frame ``index``, which is within the range as far as it is known."""
        ...

    def close(self) -> None:
        """Release what is held open; may be called more than once."""
        ...
