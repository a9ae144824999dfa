"""COCO run-length encoding of masks: column-major runs, compressed to a printable string."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast

import numpy as np
from jaxtyping import Bool
from pycocotools import mask as coco


class Rle(TypedDict):
    """One encoded mask: ``size`` is ``[height, width]``, ``counts`` the compressed runs as ASCII text."""

    size: list[int]
    counts: str


def encode(mask: Bool[np.ndarray, "h w"]) -> Rle:
    """Encode one mask; numbers other than 0 count as inside.

    Raises:
        ValueError: The mask is not a two-dimensional array with at least one pixel.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(
            f"Cannot encode an array of shape {mask.shape}: expected one mask (height, width), none of them 0."
        )
    encoded = coco.encode(np.asfortranarray(mask != 0, dtype=np.uint8))
    counts = cast(bytes, encoded["counts"])
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": counts.decode("ascii")}


def decode(rle: Mapping[str, Any]) -> Bool[np.ndarray, "h w"]:
    """Decode one mask; compressed (``str`` or ``bytes``) and plain (list of run lengths) counts are understood.

    Raises:
        ValueError: A field is missing, or the runs do not cover the stated size exactly.
    """
    height, width, compressed = _checked(rle)
    return coco.decode({"size": [height, width], "counts": compressed}).astype(bool)


def encode_window(window: Bool[np.ndarray, "h w"], corner: tuple[int, int], size: tuple[int, int]) -> Rle:
    """Encode the mask of an image that is empty outside a window; costs as much as the window's columns do.

    Args:
        window: What it holds.
        corner: ``(x, y)`` of the window's first pixel in the image.
        size: Height and width of the image.

    Raises:
        ValueError: The window leaves the image.
    """
    (x, y), (height, width), (rows, columns) = corner, size, window.shape
    if min(x, y) < 0 or x + columns > width or y + rows > height:
        raise ValueError(
            f"A window of {columns}x{rows} pixels at ({x}, {y}) does not lie in an image of {width}x{height} pixels."
        )
    strip = np.zeros(columns * height + 2, bool)  # the window's columns, one pixel outside before and after
    strip[1:-1].reshape(columns, height)[:, y : y + rows] = window.T
    turns = np.flatnonzero(strip[1:] != strip[:-1]) + x * height
    runs = np.diff(turns, prepend=0, append=height * width)
    if turns.size and runs[-1] == 0:  # the last pixel of the image is inside
        runs = runs[:-1]
    plain: Any = {"size": [height, width], "counts": runs.tolist()}
    counts = cast(bytes, coco.frPyObjects(plain, height, width)["counts"])
    return {"size": [height, width], "counts": counts.decode("ascii")}


def run_lengths(rle: Mapping[str, Any]) -> list[int]:
    """Lengths of the runs column by column, outside first; the second and every other one after it are inside.

    Raises:
        ValueError: As for ``decode``.
    """
    return _run_lengths(_checked(rle)[2])


def union(rles: Iterable[Mapping[str, Any]]) -> Rle:
    """What is inside at least one of the masks, which have one size and compressed counts, without decoding them."""
    merged = coco.merge([{"size": list(one["size"]), "counts": one["counts"]} for one in rles], intersect=False)
    size, counts = merged["size"], cast(bytes, merged["counts"])
    return {"size": [int(size[0]), int(size[1])], "counts": counts.decode("ascii")}


def area(rle: Mapping[str, Any]) -> int:
    """Number of pixels inside the mask, without decoding it.

    Raises:
        ValueError: As for ``decode``.
    """
    height, width, compressed = _checked(rle)
    return int(coco.area({"size": [height, width], "counts": compressed}))


def box(rle: Mapping[str, Any]) -> list[float]:
    """Left, top, width and height of the mask in pixels, without decoding it; zeros where it is empty.

    Raises:
        ValueError: As for ``decode``.
    """
    height, width, compressed = _checked(rle)
    return [float(value) for value in coco.toBbox({"size": [height, width], "counts": compressed})]


def _checked(rle: Mapping[str, Any]) -> tuple[int, int, bytes]:
    """Height, width and compressed counts of an encoding that is known to be sound."""
    if not isinstance(rle, Mapping) or "size" not in rle or "counts" not in rle:
        raise ValueError(f"Expected a mapping with 'size' and 'counts', got {rle!r:.100}.")
    size = list(rle["size"])
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"The size of an encoded mask is [height, width] in pixels, got {size}.")
    height, width = int(size[0]), int(size[1])
    counts = rle["counts"]
    if isinstance(counts, (str, bytes)):
        compressed = counts.encode("ascii") if isinstance(counts, str) else counts
        covered = sum(_run_lengths(compressed))
    else:
        runs = [int(run) for run in counts]
        covered = sum(runs) if min(runs, default=0) >= 0 else -1
        compressed = b""
        if covered == height * width:
            plain: Any = {"size": [height, width], "counts": runs}
            compressed = coco.frPyObjects(plain, height, width)["counts"]
    if covered != height * width:
        raise ValueError(
            f"The runs of an encoded mask cover {covered} pixels, but its size {height}x{width} has {height * width}: "
            "the encoding is damaged or belongs to another size."
        )
    return height, width, compressed


def _run_lengths(compressed: bytes) -> list[int]:
    """Run lengths of compressed counts: 5 bits a character, lowest first, from the third run on as differences."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in compressed:
        code = character - 48
        if not 0 <= code < 64:
            raise ValueError(f"Character {chr(character)!r} cannot occur in the counts of an encoded mask.")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        if runs[-1] < 0:
            raise ValueError("The counts of an encoded mask hold a negative run: the encoding is damaged.")
        value, shift = 0, 0
    if shift:
        raise ValueError("The counts of an encoded mask end in the middle of a number: the encoding is cut off.")
    return runs
