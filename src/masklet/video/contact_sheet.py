"""Contact sheets: rows of small pictures with a line of text above each row."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

Picture = UInt8[np.ndarray, "_ _ 3"]
_TEXT, _GAP = 18, 4  # pixels: height of a line of text, and room between pictures


def contact_sheet(rows: Sequence[tuple[str, Sequence[Picture]]], width: int = 240) -> Picture:
    """Put pictures together into one.

    Args:
        rows: The text of a row, and its pictures from left to right.
        width: To which each picture is scaled, in pixels.

    Raises:
        ValueError: There is no picture.
    """
    if not any(pictures for _, pictures in rows):
        raise ValueError("a contact sheet needs at least one picture, got none")
    columns = max(len(pictures) for _, pictures in rows)
    whole = columns * (width + _GAP) - _GAP
    return np.concatenate([_row(text, pictures, width, whole) for text, pictures in rows])


def spread_frames(frames: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of some frames, evenly spread, the first and the last among them."""
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[place] for place in places]


def scaled(picture: UInt8[np.ndarray, "h w *c"], width: int) -> UInt8[np.ndarray, "h2 w2 *c"]:
    """A picture, or a mask of 0 and 1, at a width in pixels."""
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _row(text: str, pictures: Sequence[Picture], width: int, whole: int) -> Picture:
    small = [scaled(picture, width) for picture in pictures]
    height = max((one.shape[0] for one in small), default=0)
    row = np.full((_TEXT + height + _GAP, whole, 3), 255, np.uint8)
    for k, one in enumerate(small):
        row[_TEXT : _TEXT + one.shape[0], k * (width + _GAP) : k * (width + _GAP) + width] = one
    plain = text.encode("ascii", "replace").decode("ascii")  # the font has no other letters
    cv2.putText(row, plain, (2, _TEXT - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return row
