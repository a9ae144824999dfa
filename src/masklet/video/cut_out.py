"""Objects cut out of frames for editors: as RGBA images, or as grey mattes beside the frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from ..masks.label_png import encode_label_png
from .atomic import make_folder
from .mask_files import write_marked_png
from .writer import Masks, Picture, checked_mask, checked_size

_MARGIN = 16  # pixels, the side of a block of the codecs


def cut_out(frame: Picture, mask: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """An object as RGBA with straight alpha: 255 inside, 0 outside, colours not multiplied with it.

    Around the object the picture goes on for 16 pixels, unseen, so that scaling, blurring or compressing does not draw
    a dark rim; beyond them it is black, and so is a frame without the object.
    """
    inside = np.asarray(mask, np.uint8)
    near = cv2.dilate(inside, np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8))
    return np.dstack([frame * near[..., None], inside * np.uint8(255)])


class CutOutPngWriter:
    """One PNG an object and frame, ``<object, three digits>/00000.png``: RGBA of :func:`cut_out`, or a grey matte."""

    def __init__(self, folder: str | os.PathLike[str], size: tuple[int, int], *, matte: bool = False) -> None:
        """Write into ``folder``, made when missing, images of ``size`` (height, width).

        Args:
            folder: Where.
            size: Of the frames.
            matte: Only where the object is, as 0 and 255; no picture is needed then.

        Raises:
            OSError: The folder cannot be made.
        """
        self._folder, self._matte = make_folder(Path(folder)), matte
        self._shots = ObjectShots(size)

    def add(self, index: int, masks: Masks, *, frame: Picture | None = None) -> None:
        """Write the objects of one frame, each file complete or not at all.

        Raises:
            OSError: A file cannot be written, for instance because the disk is full.
            ValueError: A frame that is needed is missing or of another size, an id is negative, or a mask has another
                size.
        """
        picture = None if self._matte else checked_picture(index, frame, self._shots.size)
        for object_id, shot, mask in self._shots.add(index, masks):
            png = encode_label_png(mask.astype(np.uint8) * np.uint8(255)) if picture is None else _rgba(picture, mask)
            write_marked_png(self._folder / f"{object_id:03d}" / f"{shot:05d}.png", png)

    def __enter__(self) -> CutOutPngWriter:
        """Give the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open between frames."""


class ObjectShots:
    """Sees to it that every object has a picture for every frame: editors read a sequence without gaps.

    Attributes:
        size: Height and width.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = checked_size(size)
        self._indices: list[int] = []
        self._objects: list[int] = []

    def add(self, index: int, masks: Masks) -> Iterator[tuple[int, int, Bool[np.ndarray, "h w"]]]:
        """What is to be written now: object, frame and mask.

        Empty masks of the frames so far for an object that is new, then this frame of all objects.

        Raises:
            ValueError: An id is negative, or a mask has another size.
        """
        nothing = np.zeros(self.size, bool)
        given = {object_id: checked_mask(mask, object_id, self.size) for object_id, mask in masks.items()}
        for object_id in given:
            if object_id < 0:
                raise ValueError(f"Object ids are not negative, got {object_id}.")
            if object_id not in self._objects:
                self._objects.append(object_id)
                yield from ((object_id, earlier, nothing) for earlier in self._indices)
        self._indices.append(index)
        for object_id in self._objects:
            yield object_id, index, given.get(object_id, nothing)


def checked_picture(index: int, frame: Picture | None, size: tuple[int, int]) -> Picture:
    """The picture of a frame.

    Raises:
        ValueError: It is missing, or not of ``size`` (height, width).
    """
    if frame is None:
        raise ValueError("Cutting an object out needs the picture of each frame: pass frame=source.frame(t).")
    if frame.shape != (*size, 3):
        raise ValueError(f"Frame {index} has shape {frame.shape}, the video was started with {(*size, 3)}.")
    return frame


def _rgba(picture: Picture, mask: Bool[np.ndarray, "h w"]) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(cut_out(picture, mask), cv2.COLOR_RGBA2BGRA))[1].tobytes()
