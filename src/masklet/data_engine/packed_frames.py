"""The pictures of a video of the engine, as writers of data sets take them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ..data.records import Picture
from ..video.images import decode_image
from .frame_pack import FramePack


class PackedFrames:
    """Frames of a pack, which is opened when first asked for and then held open; see :class:`~..data.records.Frames`.

    Attributes:
        where: What errors call the video: its name, not its place on this machine.
    """

    def __init__(self, where: str, path: Path) -> None:
        """Take the name and the pack; nothing is opened yet."""
        self.where = where
        self._path = path

    def count(self) -> int:
        """Number of frames."""
        assert self._pack.length is not None
        return self._pack.length

    def size(self) -> tuple[int, int]:
        """Height and width of every frame."""
        return self._pack.size

    def image(self, index: int) -> Picture:
        """Decode a frame as RGB."""
        return decode_image(self.encoded(index), name=self.file(index))

    def encoded(self, index: int) -> bytes:
        """A frame as JPEG, as it lies there."""
        return self._pack.jpeg(index)

    def file(self, index: int) -> str:
        """A name for a frame."""
        return f"{self.where}, frame {index}"

    def close(self) -> None:
        """Close the pack; it is opened again when asked for."""
        if "_pack" in vars(self):
            self._pack.close()
            del self._pack

    @cached_property
    def _pack(self) -> FramePack:
        return FramePack(self._path)
