"""The known masks of an annotated video: label maps, or masks that are stored object by object."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Int32

from ..masks import rle
from ..masks.polygons import fill_polygons
from ..video.images import DEFAULT_MAX_PIXELS
from ..video.mask_files import decode_mask
from .paths import BrokenAnnotations, DataPath
from .records import Mask

LARGEST_ID = 255
Draw = Callable[[], Mask]


class LabelMaps:
    """One label map (PNG) an annotated frame: 0 is the background, other numbers are objects.

    Grey maps of 0 and 255 hold one object, number 1; colours of the DAVIS palette stand for their index.
    """

    def __init__(
        self,
        where: DataPath,
        find: Callable[[], Mapping[int, DataPath]],
        *,
        merged: bool = False,
        first_only: bool = False,
        first: Callable[[], Mapping[int, int]] | None = None,
        read: Callable[[DataPath], Int32[np.ndarray, "h w"]] | None = None,
    ) -> None:
        """Take what lists the maps by frame number; nothing is read yet.

        Args:
            where: What errors name.
            find: Lists the files.
            merged: All objects are taken as one, number 1.
            first_only: A map shows only the objects that appear in it for the first time; earlier ones may be there.
            first: Gives the first frame of each object where another file states it; earlier maps do not count for it.
            read: Gives the objects of a file that does not hold their numbers; by default ``read_labels``.
        """
        self.where = str(where)
        self._find = find
        self._merged = merged
        self._first_only = first_only
        self._find_first = first
        self._read = read or read_labels
        self._last: tuple[int, Int32[np.ndarray, "h w"]] | None = None

    @cached_property
    def files(self) -> Mapping[int, DataPath]:
        """The maps by frame number, in order."""
        return dict(sorted(self._find().items()))

    def annotated(self) -> tuple[int, ...]:
        """Frames that have a map."""
        return tuple(self.files)

    def objects(self, index: int) -> tuple[int, ...]:
        """Labels in a map.

        Raises:
            ValueError: The file is no label map, or has a label above 255.
            OSError: It cannot be read.
        """
        labels = np.flatnonzero(np.bincount(self._labels(index).ravel()))
        return tuple(int(label) for label in labels if label and self._first.get(int(label), index) <= index)

    def masks(self, index: int, ids: Collection[int]) -> dict[int, Mask]:
        """Masks of labels; errors as for ``objects``."""
        labels = self._labels(index)
        return {object_id: labels == object_id for object_id in ids}

    def unknown(self, index: int) -> frozenset[int]:
        """Objects of earlier maps, where a map shows only new ones."""
        if not self._first_only:
            return frozenset()
        if self._first:
            return frozenset(label for label, frame in self._first.items() if frame < index) - {*self.objects(index)}
        earlier = {label for frame in self.annotated() if frame < index for label in self.objects(frame)}
        return frozenset(earlier - {*self.objects(index)})

    def file(self, index: int) -> str:
        """The map of a frame."""
        return str(self.files[index])

    @cached_property
    def _first(self) -> Mapping[int, int]:
        return {} if self._find_first is None else self._find_first()

    def _labels(self, index: int) -> Int32[np.ndarray, "h w"]:
        if self._last is None or self._last[0] != index:
            labels = self._read(self.files[index])
            self._last = index, ((labels > 0).astype(np.int32) if self._merged else labels)
        return self._last[1]


class ObjectMasks:
    """Masks stored object by object, which may overlap; each is decoded only when it is wanted."""

    def __init__(
        self,
        where: DataPath,
        find: Callable[[], Mapping[int, Mapping[int, Draw]]],
        unknown: Callable[[], Mapping[int, frozenset[int]]] | None = None,
    ) -> None:
        """Take what lists the masks; nothing is read yet.

        Args:
            where: What errors name.
            find: For each annotated frame and object, what decodes the mask.
            unknown: For frames that do not speak of every object, those they leave out.
        """
        self.where = str(where)
        self._find = find
        self._find_unknown = unknown

    def annotated(self) -> tuple[int, ...]:
        """Frames of which anything is stated."""
        return tuple(self._frames)

    def objects(self, index: int) -> tuple[int, ...]:
        """Objects of which the frame has a mask, maybe an empty one."""
        return tuple(sorted(self._frames[index]))

    def masks(self, index: int, ids: Collection[int]) -> dict[int, Mask]:
        """Decode masks.

        Raises:
            ValueError: One is damaged; the message names the object.
            OSError: A file cannot be read.
        """
        masks = {}
        for object_id in ids:
            try:
                masks[object_id] = self._frames[index][object_id]()
            except ValueError as error:
                raise ValueError(f"object {object_id} of frame {index}: {error}") from error
        return masks

    def unknown(self, index: int) -> frozenset[int]:
        """Objects that the frame leaves out without saying that they are absent."""
        return self._unknown.get(index, frozenset())

    def file(self, index: int) -> str:
        """The file or folder of the masks."""
        return self.where

    @cached_property
    def _frames(self) -> Mapping[int, Mapping[int, Draw]]:
        return dict(sorted(self._find().items()))

    @cached_property
    def _unknown(self) -> Mapping[int, frozenset[int]]:
        return {} if self._find_unknown is None else self._find_unknown()


def read_labels(path: DataPath) -> Int32[np.ndarray, "h w"]:
    """Read a label map.

    Raises:
        ValueError: The file is no label map, or has a label above 255.
        OSError: It cannot be read.
    """
    labels = decode_mask(path.read_bytes(), name=str(path))
    if labels.max() > LARGEST_ID:
        raise ValueError(
            f"{path} has object ids up to {labels.max()}, expected at most {LARGEST_ID} in a PNG: renumber the "
            "objects, or store one binary PNG an object"
        )
    return labels


def draw_rle(code: Any) -> Mask:
    """Decode run lengths.

    Raises:
        ValueError: They are damaged, or of an image that is too large to be one.
    """
    try:
        size = code.get("size", ()) if isinstance(code, Mapping) else ()
        if math.prod(map(int, size)) > DEFAULT_MAX_PIXELS:
            raise ValueError(f"a mask of {size} pixels is larger than any image that is read")
        return rle.decode(code)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{code!r:.80} is no encoded mask ({error})") from error


def distinct(masks: list[tuple[int, Draw]], file: DataPath) -> dict[int, Draw]:
    """Masks by object id.

    Raises:
        BrokenAnnotations: Two have the same id.
    """
    found = dict(masks)
    if len(found) != len(masks):
        twice = next(number for number in found if [one for one, _ in masks].count(number) > 1)
        raise BrokenAnnotations(file, f"two masks of one image have the id {twice}, expected different ids")
    return found


def from_rle(code: Any) -> Draw:
    """What decodes run lengths."""
    return partial(draw_rle, code)


def from_polygons(polygons: Sequence[Any], size: tuple[int, int]) -> Draw:
    """What fills polygons, as ``fill_polygons`` takes them, in an image of a height and width."""
    return partial(fill_polygons, polygons, size)


def from_png(path: DataPath) -> Draw:
    """What reads the mask of one object from a PNG: all that is not 0."""
    return partial(_draw_png, path)


def _draw_png(path: DataPath) -> Mask:
    return decode_mask(path.read_bytes(), name=str(path)) > 0
