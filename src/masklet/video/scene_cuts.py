"""Where a video cuts to another scene: the colours of a frame and of the one before have little in common.

Measured on 14 clips of DAVIS, some of them of fast motion: at most .16 of the colours change from one frame to the
next, .34 over three frames; between two clips it is .56 and more for 95 % of the pairs. (The mean change of hue,
saturation and value, which is common, does not tell fast motion from a cut there.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .reader import EndOfStream

CUT = 0.4
"""Share of the colours that changes at a cut."""
_WIDTH = 64  # pixels that are looked at
_BINS = 8, 4, 4  # of hue, saturation and value


class SceneCuts:
    """Remembers the cuts of one video.

    Args:
        read: Gives a frame; raises IndexError or ValueError for one that cannot be had.

    Attributes:
        found: First frames of scenes, of those that were looked for.
    """

    def __init__(self, read: Callable[[int], UInt8[np.ndarray, "h w 3"]], found: Iterable[int] = ()) -> None:
        self._read = read
        self.found = set(found)
        self._known: dict[int, Float[np.ndarray, " n"]] = {}

    def look(self, t: int) -> bool:
        """Whether a scene begins with frame ``t``; not if the frame before cannot be had.

        Raises:
            EndOfStream: The video is a stream, and has ended before ``t``.
        """
        if t not in self.found and t > 0:
            try:
                before, now = self._colours(t - 1), self._colours(t)
            except EndOfStream:
                raise  # said once, to whoever asks first
            except (IndexError, ValueError):
                return False
            if 1 - np.minimum(before, now).sum() > CUT:
                self.found.add(t)
        return t in self.found

    def _colours(self, t: int) -> Float[np.ndarray, " n"]:
        if t not in self._known:
            self._known[t] = colours(self._read(t))
            while len(self._known) > 3:
                del self._known[next(iter(self._known))]
        return self._known[t]


def colours(frame: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " n"]:
    """Shares of the colours of a frame, which add up to 1."""
    h, w = frame.shape[:2]
    small = cv2.resize(frame, (_WIDTH, max(1, round(h * _WIDTH / w))), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(_BINS), [0, 180, 0, 256, 0, 256]).ravel()
    return counts / counts.sum()
