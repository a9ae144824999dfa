"""Writers of masks as PNG files, and what all writers share: ``with Writer(...) as w: w.add(t, {id: mask})``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

from .atomic import make_folder
from .mask_files import write_mask_file

Masks = Mapping[int, Bool[np.ndarray, "h w"]]  # of one frame, by object id
Picture = UInt8[np.ndarray, "h w 3"]


@runtime_checkable
class MaskWriter(Protocol):
    """What every writer offers; leaving the ``with`` block by an error leaves nothing half-written."""

    def add(self, index: int, masks: Masks, *, frame: Picture | None = None) -> None:
        """Take the masks of one frame, and its picture where the writer shows it."""
        ...

    def __enter__(self) -> MaskWriter:
        """Give the writer itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Finish, or drop what is unfinished after an error."""
        ...


class MaskPngWriter:
    """One indexed PNG a frame, ``00000.png`` and so on, in the DAVIS palette; the palette index is the object id."""

    def __init__(self, folder: str | os.PathLike[str], size: tuple[int, int]) -> None:
        """Write into ``folder``, made when missing, images of ``size`` (height, width).

        Raises:
            OSError: The folder cannot be made.
        """
        self._folder = make_folder(Path(folder))
        self._size = checked_size(size)

    def add(self, index: int, masks: Masks, *, frame: Picture | None = None) -> None:
        """Write one frame at once, complete or not at all; where masks overlap, the lowest id wins.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
            ValueError: An id is not 1..255, or a mask has another size.
        """
        labels = merge_masks(masks, self._size)
        write_mask_file(self._folder / f"{index:05d}.png", labels)

    def __enter__(self) -> MaskPngWriter:
        """Give the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open between frames."""


class ObjectPngWriter:
    """One indexed PNG (0 and 1) an object and frame, ``<object, three digits>/00000.png``: overlaps are kept."""

    def __init__(self, folder: str | os.PathLike[str], size: tuple[int, int]) -> None:
        """Write into ``folder``, made when missing, images of ``size`` (height, width).

        Raises:
            OSError: The folder cannot be made.
        """
        self._folder = make_folder(Path(folder))
        self._size = checked_size(size)

    def add(self, index: int, masks: Masks, *, frame: Picture | None = None) -> None:
        """Write the masks of one frame, each file complete or not at all.

        Raises:
            OSError: A file cannot be written, for instance because the disk is full.
            ValueError: An id is negative, or a mask has another size.
        """
        for object_id, mask in masks.items():
            if object_id < 0:
                raise ValueError(f"Object ids are not negative, got {object_id}.")
            inside = checked_mask(mask, object_id, self._size)
            write_mask_file(self._folder / f"{object_id:03d}" / f"{index:05d}.png", inside.astype(np.uint8))

    def __enter__(self) -> ObjectPngWriter:
        """Give the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open between frames."""


def merge_masks(masks: Masks, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """One label image of all masks; where they overlap, the lowest id wins.

    Raises:
        ValueError: An id is not 1..255, or a mask is not of ``size`` (height, width).
    """
    labels = np.zeros(size, dtype=np.uint8)
    for object_id in sorted(masks, reverse=True):
        check_indexed_id(object_id)
        labels[checked_mask(masks[object_id], object_id, size)] = object_id
    return labels


def check_indexed_id(object_id: int) -> None:
    """Make sure that an indexed PNG can hold an object.

    Raises:
        ValueError: The id is not 1..255.
    """
    if not 1 <= object_id <= 255:
        raise ValueError(
            f"Object id {object_id} does not fit an indexed PNG, which has ids 1 to 255: "
            "renumber the objects, or write one file an object or COCO RLE."
        )


def checked_mask(mask: Bool[np.ndarray, "h w"], object_id: int, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """A mask as true and false.

    Raises:
        ValueError: It is not of ``size`` (height, width).
    """
    mask = np.asarray(mask)
    if mask.shape != tuple(size):
        raise ValueError(f"The mask of object {object_id} has shape {mask.shape}, the video has {tuple(size)}.")
    return mask != 0


def checked_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size as whole numbers.

    Raises:
        ValueError: It is not a height and a width of at least one pixel.
    """
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"Expected a size (height, width) in pixels, got {size}.")
    return int(size[0]), int(size[1])
