"""The pictures of an annotated video: image files or a movie, local or in object storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from jaxtyping import UInt8

from ..video.frames import FrameSource
from ..video.image_header import TIFF_STARTS, image_size
from ..video.images import DEFAULT_MAX_PIXELS, decode_image
from ..video.movie import MovieReader
from .paths import DataPath, files_in

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
MOVIES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"})
_HEADER_BYTES = 1 << 16


class PictureFrames:
    """Frames in image files, one a file; listed when first asked for."""

    def __init__(
        self, where: DataPath, find: Callable[[], Sequence[DataPath]], size: tuple[int, int] | None = None
    ) -> None:
        """Take what errors name, and what lists the files in order; nothing is read yet.

        Args:
            where: What errors name.
            find: Lists the files.
            size: Height and width where another file states them: the files need not be there until one is shown.
        """
        self.where = str(where)
        self._find = find
        self._stated = size

    @cached_property
    def files(self) -> tuple[DataPath, ...]:
        """The files in order: a frame's number is its place here.

        Raises:
            FileNotFoundError: There are none.
        """
        files = tuple(self._find())
        if not files:
            raise FileNotFoundError(f"expected images ({', '.join(sorted(PICTURES))}) in {self.where}, found none")
        return files

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Number of each frame by the stem of its file."""
        return {path.stem: number for number, path in enumerate(self.files)}

    def count(self) -> int:
        """Number of files."""
        return len(self.files)

    def size(self) -> tuple[int, int]:
        """Height and width of the first frame, from its header where that is enough.

        Raises:
            ValueError: It is damaged.
            OSError: It cannot be read.
        """
        return self._size

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a frame as RGB.

        Raises:
            ValueError: It is damaged.
            OSError: It cannot be read.
        """
        return decode_image(self.encoded(index), name=str(self.files[index]))

    def encoded(self, index: int) -> bytes:
        """The bytes of a frame's file.

        Raises:
            OSError: It cannot be read.
        """
        return self.files[index].read_bytes()

    def file(self, index: int) -> str:
        """The file of a frame."""
        return str(self.files[index])

    @cached_property
    def _size(self) -> tuple[int, int]:
        if self._stated is not None:
            return self._stated
        with self.files[0].open("rb") as file:
            start = file.read(_HEADER_BYTES)
        # A picture that EXIF may turn has its upright size only when decoded.
        turned = b"Exif" in start or b"eXIf" in start or start[:4] in TIFF_STARTS
        size = None if turned else image_size(start)
        height, width = self.image(0).shape[:2] if size is None else size
        return int(height), int(width)


def folder_frames(folder: DataPath) -> PictureFrames:
    """The images of a folder in natural order."""
    return PictureFrames(folder, lambda: files_in(folder, PICTURES))


def single_frame(path: DataPath, size: tuple[int, int] | None = None) -> PictureFrames:
    """One image, of a height and width that another file states."""
    return PictureFrames(path, lambda: (path,), size)


def stated_frames(where: DataPath, count: int, size: tuple[int, int]) -> PictureFrames:
    """Frames of which only the number and the size are known, named ``00000.jpg`` and so on in a folder."""
    return PictureFrames(where, lambda: [where / f"{index:05d}.jpg" for index in range(count)], size)


class MovieFrames:
    """Frames decoded from a movie file, which is opened when first asked for and then held open."""

    def __init__(self, path: DataPath) -> None:
        """Take the path; nothing is opened yet."""
        self.where = str(path)
        self._path = path

    def count(self) -> int:
        """Number of frames that can be shown.

        Raises:
            ValueError: The file is no movie or damaged.
            OSError: It cannot be read.
        """
        return len(self._source)

    def size(self) -> tuple[int, int]:
        """Height and width of every frame, upright; errors as for ``count``."""
        return self._source.size

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a frame as RGB, read-only; fastest in rising order.

        Raises:
            ValueError: The file is damaged there.
        """
        return self._source.frame(index)

    def file(self, index: int) -> str:
        """The movie."""
        return self.where

    @cached_property
    def _source(self) -> FrameSource:
        if not self._path.is_file():
            raise FileNotFoundError(f"expected the movie {self.where}, found none")
        return FrameSource(MovieReader(self._path, max_pixels=DEFAULT_MAX_PIXELS), cache=2)
