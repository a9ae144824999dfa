"""Crops of an image in layers, and grids of points on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float

Grid = int | Sequence[Sequence[float]] | np.ndarray
"""Points of a side of an even grid, or points ``(x, y)`` as shares of width and height."""


@dataclass(frozen=True)
class Crop:
    """A part of an image.

    Attributes:
        layer: 0: the whole image; layer k has 2^k crops a side.
        box: ``(x0, y0, x1, y1)``, right and bottom exclusive.
    """

    layer: int
    box: tuple[int, int, int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0


def crops_of(size: tuple[int, int], layers: int, overlap: float) -> list[Crop]:
    """The whole image and its crops, column by column in each layer; an image of few pixels has fewer.

    Args:
        size: Height and width of the image.
        layers: Layers of crops beyond the whole image.
        overlap: Of neighbours in the first layer, as a share of the shorter side; half of that in the next, and so on.

    Parity: sam2/utils/amg.py:202-236.
    """
    height, width = size
    crops = [Crop(0, (0, 0, width, height))]
    for layer in range(1, layers + 1):
        count = 2**layer
        shared = int(overlap * min(size) * (2 / count))
        crop_width, crop_height = (ceil((shared * (count - 1) + side) / count) for side in (width, height))
        xs, ys = ([i * (w - shared) for i in range(count)] for w in (crop_width, crop_height))
        for x in (x for x in xs if x < width):
            for y in (y for y in ys if y < height):
                crops.append(Crop(layer, (x, y, min(x + crop_width, width), min(y + crop_height, height))))
    return crops


def points_of(grid: Grid) -> Float[np.ndarray, "n 2"]:
    """Points of a grid as shares of width and height, row by row.

    Raises:
        ValueError: There are none, or they are no pairs of 0 to below 1.
    """
    if isinstance(grid, int | np.integer):
        if grid < 1:
            raise ValueError(f"a grid has at least 1 point a side, got {grid}")
        line = np.linspace(1 / (2 * grid), 1 - 1 / (2 * grid), grid)
        return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    points = np.asarray(grid, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"a grid is a number of points a side, or points (n, 2), got shape {points.shape}")
    if not ((points >= 0) & (points < 1)).all():
        raise ValueError(f"points of a grid are shares of width and height, 0 to below 1, got {points.tolist()!s:.100}")
    return points


def near_inner_edge(
    box: tuple[int, int, int, int], crop: tuple[int, int, int, int], size: tuple[int, int], near: int = 20
) -> bool:
    """Whether a box comes near an edge of its crop that is no edge of the image: the object goes on beyond it.

    Args:
        box: ``(x0, y0, x1, y1)`` in the image, pixels of the last column and row.
        crop: The crop's box.
        size: Height and width of the image.
        near: Pixels that count as near.

    Parity: sam2/utils/amg.py:80-90.
    """
    image = (0, 0, size[1], size[0])
    return any(abs(b - c) <= near < abs(b - i) for b, c, i in zip(box, crop, image, strict=True))
