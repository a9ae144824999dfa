"""Masks to polygons that follow the edges of their pixels: filled as COCO fills them they give the same mask again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Bool

Corners = list[tuple[int, int]]


def outline_pieces(mask: Bool[np.ndarray, "h w"]) -> tuple[list[list[float]], int]:
    """A polygon for each connected piece of a mask.

    A hole is joined to the outline around it by a line of no width, there and back, which rules that count crossings
    (COCO's is one) do not see. Corners lie on the corners of pixels, so that the image spans 0 to its width and height.

    Returns:
        Each polygon as ``x0, y0, x1, y1, ...``, and how many of them have holes.
    """
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    polygons, pierced = [], 0
    for piece in range(1, count):
        x, y, width, height = boxes[piece, :4].tolist()
        loops = _loops(labels[y : y + height, x : x + width] == piece)
        pierced += len(loops) > 1
        polygons.append(_joined([[(x + px, y + py) for px, py in loop] for loop in loops]))
    return [[float(value) for corner in one for value in corner] for one in polygons], pierced


def join_polygons(polygons: Sequence[Sequence[float]]) -> list[float]:
    """One polygon of several that do not overlap, joined by lines of no width."""
    loops: list[Corners] = [
        [(int(x), int(y)) for x, y in zip(one[0::2], one[1::2], strict=True)] for one in polygons if one
    ]
    return [float(value) for corner in _joined(loops) for value in corner]


def _joined(loops: list[Corners]) -> Corners:
    """All loops in one walk that comes back to the first corner after each of them."""
    if len(loops) == 1:
        return loops[0]
    first = loops[0][0]
    walk = [*loops[0], first]
    for loop in loops[1:]:
        walk += [*loop, loop[0], first]
    return walk


def _loops(mask: Bool[np.ndarray, "h w"]) -> list[Corners]:
    """Edges between inside and outside as closed walks over their corners.

    Along every line of the pixel grid the corners pair up: first with second, third with fourth, and so on. A walk
    goes to the partner along its row, then to the partner of that along its column. Where two pixels touch at a corner
    only, that corner is there twice.
    """
    padded = np.pad(mask, 1).astype(np.int8)
    turns = padded[1:, 1:] + padded[:-1, :-1] - padded[1:, :-1] - padded[:-1, 1:]
    ys, xs = np.nonzero(turns)
    twice = np.abs(turns[ys, xs])
    ys, xs = np.repeat(ys, twice), np.repeat(xs, twice)
    along_row = _partners(np.lexsort((xs, ys)))
    along_column = _partners(np.lexsort((ys, xs)))
    corners = list(zip(xs.tolist(), ys.tolist(), strict=True))
    return [[corners[i] for i in walk] for walk in _walks(along_row, along_column)]


def _partners(order: np.ndarray) -> list[int]:
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner.tolist()


def _walks(along_row: list[int], along_column: list[int]) -> Iterator[list[int]]:
    seen = [False] * len(along_row)
    for start in range(len(along_row)):
        walk, here = [], start
        while not seen[here]:
            other = along_row[here]
            seen[here] = seen[other] = True
            walk += [here, other]
            here = along_column[other]
        if walk:
            yield walk
