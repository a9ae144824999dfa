"""The six frames that the reference arrays were made from, and the grid that samples maps."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH, FRAMES = 270, 480, 6


def clip() -> list[np.ndarray]:
    """A red disc and a blue square moving over a wavy background; uint8 RGB."""
    h, w = HEIGHT, WIDTH
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float64)
    frames = []
    for t in range(FRAMES):
        background = 110 + 50 * np.sin(xx / 23 + 0.1 * t) * np.cos(yy / 17) + 20 * np.sin((xx + yy) / 7)
        frame = np.stack([background, 0.8 * background + 20, 1.1 * background - 10], -1)
        disc = (xx - w * (0.3 + 0.03 * t)) ** 2 + (yy - h * (0.4 + 0.01 * t)) ** 2 < (0.15 * h) ** 2
        frame[disc] = (220, 60, 40)
        square = (abs(xx - w * (0.7 - 0.02 * t)) < 0.1 * h) & (abs(yy - 0.65 * h) < 0.1 * h)
        frame[square] = (40, 80, 210)
        frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
    return frames


def grid(x: np.ndarray, n: int) -> np.ndarray:
    """Every ``size // n``-th row and column of the last two axes."""
    h, w = x.shape[-2:]
    return x[..., :: max(1, h // n), :: max(1, w // n)]
