"""What every reader gives: annotated videos that read nothing until they are asked, and data sets of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, overload, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

Mask = Bool[np.ndarray, "h w"]
Picture = UInt8[np.ndarray, "h w 3"]


@runtime_checkable
class Frames(Protocol):
    """The pictures of a video; ``where`` is the file or folder that they come from."""

    where: str

    def count(self) -> int:
        """Number of frames."""
        ...

    def size(self) -> tuple[int, int]:
        """Height and width of the first frame."""
        ...

    def image(self, index: int) -> Picture:
        """Decode a frame as RGB."""
        ...

    def file(self, index: int) -> str:
        """File that a frame is read from."""
        ...


@runtime_checkable
class EncodedFrames(Frames, Protocol):
    """Frames that are image files of their own."""

    def encoded(self, index: int) -> bytes:
        """The file of a frame."""
        ...


@runtime_checkable
class Truth(Protocol):
    """The known masks of a video; ``where`` is the file or folder that they come from."""

    where: str

    def annotated(self) -> tuple[int, ...]:
        """Numbers of the frames that are annotated, in order."""
        ...

    def objects(self, index: int) -> tuple[int, ...]:
        """Ids that the annotation of a frame names, in order; their masks may be empty."""
        ...

    def masks(self, index: int, ids: Collection[int]) -> dict[int, Mask]:
        """Masks of some of these objects, of whatever size they are stored in."""
        ...

    def unknown(self, index: int) -> frozenset[int]:
        """Objects of the video of which the annotation of a frame says neither where they are nor that they are not."""
        ...

    def file(self, index: int) -> str:
        """File that the masks of a frame are read from."""
        ...


@dataclass(frozen=True)
class AnnotatedVideo:
    """A video with known masks in some frames; an image is a video of one frame.

    Files are listed, opened and decoded when they are asked for, and what was found is kept with the object. Drop it
    after use: a data set makes a new one each time it is indexed.

    Attributes:
        name: Its name in the data set.
        frames: Where its pictures come from.
        truth: Where its masks come from.
        categories: Gives the category of each object of which the data set states one.
    """

    name: str
    frames: Frames
    truth: Truth
    categories: Callable[[], Mapping[int, str]] = dict

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.frames.count()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every frame, upright."""
        return self.frames.size()

    @property
    def annotated(self) -> tuple[int, ...]:
        """Numbers of the frames with known masks, in order."""
        return self.truth.annotated()

    @property
    def images(self) -> Sequence[Picture]:
        """The frames as a sequence that decodes one when it is asked for: a source that sessions and trackers open."""
        return self.images_from(0)

    def images_from(self, first: int) -> Sequence[Picture]:
        """The same without the frames before ``first``."""
        return _Images(self, range(first, self.frame_count))

    def image(self, index: int) -> Picture:
        """Decode a frame as RGB; the array may be read-only.

        Raises:
            ValueError: It is damaged, or has another size than the first frame.
            OSError: Its file is missing or cannot be read.
            IndexError: There is no such frame.
        """
        if not 0 <= index < self.frame_count:
            raise IndexError(f"{self.name} has frames 0 to {self.frame_count - 1}, got {index}")
        image = self.frames.image(index)
        if image.shape[:2] != self.size:
            raise ValueError(
                f"{self.frames.file(index)} has {_pixels(image.shape)}, the first frame has {_pixels(self.size)}: "
                "all frames of a video must have the same size"
            )
        return image

    def objects(self, index: int) -> tuple[int, ...]:
        """Ids that the annotation of a frame names, in order: those with a mask, and those it says are not visible.

        Raises:
            KeyError: The frame is not annotated.
            ValueError: The annotation is damaged.
            OSError: Its file is missing or cannot be read.
        """
        self._check_annotated(index)
        return self.truth.objects(index)

    def masks(self, index: int, ids: Collection[int] | None = None) -> dict[int, Mask]:
        """Masks of an annotated frame by object id, ids in order; masks may overlap.

        An object that is absent has no entry: no mask is ever empty. So every object of the video without an entry is
        known not to be visible, except those of ``unknown``.

        Args:
            index: Number of the frame.
            ids: Only these are decoded; by default all.

        Raises:
            KeyError: The frame is not annotated.
            ValueError: The annotation is damaged, or a mask has another size than the frames.
            OSError: Its file is missing or cannot be read.
        """
        named = self.objects(index)
        masks = self.truth.masks(index, named if ids is None else [one for one in named if one in ids])
        for object_id, mask in masks.items():
            if mask.shape != self.size:
                raise ValueError(
                    f"{self.name} ({self.truth.file(index)}): the mask of object {object_id} in frame {index} has "
                    f"{_pixels(mask.shape)}, the frames have {_pixels(self.size)}: the two must have the same size"
                )
        return {object_id: masks[object_id] for object_id in sorted(masks) if masks[object_id].any()}

    def unknown(self, index: int) -> frozenset[int]:
        """Objects of the video of which the annotation of this frame says nothing: visible or not, nobody knows.

        Raises:
            KeyError: The frame is not annotated.
        """
        self._check_annotated(index)
        return self.truth.unknown(index)

    def first_frames(self) -> dict[int, int]:
        """First annotated frame in which each object has a mask, by object id, ids in order. Decodes every mask."""
        first: dict[int, int] = {}
        for index in self.annotated:
            for object_id in self.masks(index):
                first.setdefault(object_id, index)
        return dict(sorted(first.items()))

    def _check_annotated(self, index: int) -> None:
        annotated = self.annotated
        if index not in annotated:
            some = ", ".join(map(str, annotated[:5])) + (", ..." if len(annotated) > 5 else "")
            raise KeyError(f"frame {index} of {self.name} is not annotated: take one of {some or 'none at all'}")


@dataclass(frozen=True)
class _Images(Sequence[Picture]):
    """Frames of a video, none of them kept."""

    video: AnnotatedVideo
    places: range

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        found = self.places[index]
        return self.video.image(found) if isinstance(found, int) else [self.video.image(i) for i in found]


@dataclass(frozen=True)
class VideoDataset:
    """A lazy sequence of annotated videos; holds names, no pixels, and can be sent to other processes.

    Attributes:
        format: Name of the format, such as ``davis``.
        root: Where it lies.
        names: Names of the videos, in the order of the data set.
        stills: Whether these are single images, not videos.
        read: Makes the video of a number; reads little or nothing yet.
    """

    format: str
    root: str
    names: tuple[str, ...]
    stills: bool
    read: Callable[[int], AnnotatedVideo]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> AnnotatedVideo:
        """The video of a number; negative ones count from the end.

        Raises:
            IndexError: There is no such video.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"the {self.format} data set in {self.root} has {len(self)} entries, got {index}")
        return self.read(index % len(self))

    def __iter__(self) -> Iterator[AnnotatedVideo]:
        """All videos in order."""
        return map(self.read, range(len(self)))


def _pixels(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} pixels"
