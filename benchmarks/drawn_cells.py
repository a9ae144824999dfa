"""Clips of made-up cells as a differential interference microscope shows them: a kind of picture that nano never saw.

    python benchmarks/drawn_cells.py --out cells --clips 3

Writes ``NAME/frames/*.jpg`` and ``NAME/masks/*.png`` (indexed), a format that ``masklet.data`` reads. The same seed
gives the same clips.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masklet.masks.label_png import write_label_png

SIZE = 320
FRAMES = 24
CELLS = 5
APART = 60.0
_HARMONICS = np.arange(2, 6)
_LIGHT = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], np.float32)
"""The relief is the slope of the optical thickness along one diagonal."""


@dataclass(frozen=True)
class Cell:
    """One cell: where it is, how it moves and deforms, and what is inside.

    Attributes:
        place: Centre in the first frame, (x, y) in pixels.
        velocity: Pixels a frame.
        radius: Mean radius in pixels.
        waves: Relative height, phase and turn a frame of each harmonic of the outline, (harmonics, 3).
        inside: Thickness of what it contains, in its own coordinates, (2 SIZE, 2 SIZE).
    """

    place: NDArray[np.float64]
    velocity: NDArray[np.float64]
    radius: float
    waves: NDArray[np.float64]
    inside: NDArray[np.float32]

    def relative_distance(self, t: int) -> NDArray[np.float64]:
        """Distance from the centre over the radius in that direction, (SIZE, SIZE); below 1 is inside."""
        x, y = self.place + t * self.velocity
        dy, dx = np.mgrid[:SIZE, :SIZE] - np.array([y, x])[:, None, None]
        angle = np.arctan2(dy, dx)[..., None]
        height, phase, turn = self.waves.T
        outline = 1 + (height * np.cos(_HARMONICS * angle + phase + turn * t)).sum(-1)
        return np.hypot(dx, dy) / (self.radius * outline)

    def thickness(self, t: int, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Optical thickness, (SIZE, SIZE): a dome with grains that move with the cell."""
        x, y = np.round(self.place + t * self.velocity).astype(int)
        grains = np.roll(self.inside, (y, x), (0, 1))[:SIZE, :SIZE]
        return np.where(distance < 1, np.sqrt(np.clip(1 - distance**2, 0, 1)) * (0.5 * self.radius + 5 * grains), 0.0)


def noise(rng: np.random.Generator, size: int, sigma: float) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and deviation 1, (size, size), that goes on at the opposite edge."""
    flat = rng.standard_normal((size, size)).astype(np.float32)
    blurred = cv2.GaussianBlur(np.pad(flat, 64, mode="wrap"), (0, 0), sigma)[64:-64, 64:-64]
    return blurred / blurred.std()


def cells_of(rng: np.random.Generator) -> list[Cell]:
    """The cells of a clip, no two of which begin in the same place."""
    cells: list[Cell] = []
    while len(cells) < CELLS:
        waves = np.stack([rng.uniform(0, 0.12, 4), rng.uniform(0, 2 * np.pi, 4), rng.normal(0, 0.06, 4)], 1)
        inside = noise(rng, 2 * SIZE, 2.5) + noise(rng, 2 * SIZE, 6.0)
        place, velocity = rng.uniform(30, SIZE - 30, 2), rng.normal(0, 1.2, 2)
        if any(np.hypot(*(place - one.place)) < APART for one in cells):
            continue
        cells.append(Cell(place, velocity, rng.uniform(34, 64), waves, inside))
    return cells


def draw(seed: int) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Frames (SIZE, SIZE, 3) and label maps (SIZE, SIZE) of one clip; where cells meet, each has its side."""
    rng = np.random.default_rng(seed)
    cells, ground = cells_of(rng), 6 * noise(rng, SIZE, 40.0) + 2.5 * noise(rng, SIZE, 4.0)
    frames, maps = [], []
    for t in range(FRAMES):
        distances = np.stack([cell.relative_distance(t) for cell in cells])
        owner = distances.argmin(0)
        label = np.where(distances.min(0) < 1, owner + 1, 0).astype(np.uint8)
        thickness = np.zeros((SIZE, SIZE), np.float32)
        for k, cell in enumerate(cells):
            thickness += np.where(owner == k, cell.thickness(t, distances[k]), 0).astype(np.float32)
        relief = cv2.filter2D(cv2.GaussianBlur(thickness, (0, 0), 1.6), -1, _LIGHT)
        grey = 128 + ground + 4 * relief + rng.normal(0, 4, (SIZE, SIZE))
        frames.append(np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, 2))
        maps.append(label)
    return frames, maps


def write(folder: Path, first: int, clips: int) -> None:
    """Write clips ``first`` to ``first + clips - 1`` into a folder; those that are there are kept."""
    for seed in range(first, first + clips):
        home = folder / f"cells_{seed:03d}"
        if home.exists():
            continue
        part = folder / f".cells_{seed:03d}"
        for name in ("frames", "masks"):
            (part / name).mkdir(parents=True, exist_ok=True)
        for t, (frame, label) in enumerate(zip(*draw(seed), strict=True)):
            cv2.imwrite(str(part / "frames" / f"{t:05d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 92])
            write_label_png(part / "masks" / f"{t:05d}.png", label)
        part.rename(home)


def main() -> None:
    """Draw as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number (and seed) of the first")
    args = parser.parse_args()
    write(args.out, args.first, args.clips)


if __name__ == "__main__":
    main()
