"""A frame pack: all frames of a video as JPEG in one file, so that any of them is a read of some bytes.

Layout: the JPEG files one after another; a JSON text with size, rate and where each frame begins; its length in 8 bytes
(little-endian) and 8 bytes that say what the file is. A file without this end is not complete.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO
from weakref import finalize

import cv2
import numpy as np
from jaxtyping import UInt8

from ..video.atomic import replacing
from ..video.images import decode_image
from ..video.reader import FrameUnreadable

QUALITY = 95
_MARK = b"MPACK\x01\r\n"
_END = struct.Struct("<Q8s")


class PackWriter:
    """Writes frames to a file.

    Args:
        file: Where to, at its beginning; it stays open.
        fps: Frames a second; None: not known.
    """

    def __init__(self, file: BinaryIO, fps: float | None = None) -> None:
        self._file, self._fps = file, fps
        self._starts = [0]
        self._size: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Frames so far."""
        return len(self._starts) - 1

    @property
    def nbytes(self) -> int:
        """Bytes so far."""
        return self._starts[-1]

    def add(self, frame: UInt8[np.ndarray, "h w 3"]) -> None:
        """Write the next frame, RGB.

        Raises:
            ValueError: It has another size than the first one.
            OSError: It cannot be written.
        """
        self._size = self._size or frame.shape[:2]
        if frame.shape[:2] != self._size:
            (height, width), got = self._size, frame.shape
            raise ValueError(
                f"frame {len(self)} has {got[1]}x{got[0]} pixels, expected {width}x{height} as the first one has"
            )
        written, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not written:
            raise ValueError(f"frame {len(self)} of shape {frame.shape} cannot be written as JPEG")
        self._file.write(data.tobytes())
        self._starts.append(self._starts[-1] + len(data))

    def finish(self) -> None:
        """Write the end.

        Raises:
            ValueError: There is no frame.
            OSError: It cannot be written.
        """
        if self._size is None:
            raise ValueError("a video has at least one frame, got none")
        head = json.dumps({"size": self._size, "fps": self._fps, "starts": self._starts}).encode()
        self._file.write(head + _END.pack(len(head), _MARK))
        self._file.flush()


@contextmanager
def new_pack(path: Path, fps: float | None = None) -> Iterator[PackWriter]:
    """Write a pack, complete or not at all.

    Raises:
        OSError: It cannot be written.
    """
    with replacing(path) as temporary, temporary.open("xb") as file:
        writer = PackWriter(file, fps)
        yield writer
        writer.finish()


class FramePack:
    """Frames of a pack, for :class:`~masklet.video.frames.FrameSource`; threads may share it.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is no pack, or not complete.
    """

    times: Sequence[Fraction] | None = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self.files: Sequence[Path] = (Path(path),)
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._closed = finalize(self, os.close, self._file)
        try:
            head = self._head()
            height, width = head["size"]
            self._starts: list[int] = head["starts"]
            self.size: tuple[int, int] = (height, width)
            self.fps: float | None = head["fps"]
        except (ValueError, KeyError, TypeError, OSError, struct.error) as error:
            self.close()
            raise ValueError(f"{path} is no frame pack, or was cut off ({error}): bring the video in again") from error
        self.length: int | None = len(self._starts) - 1

    def jpeg(self, index: int) -> bytes:
        """A frame as it was written: a JPEG file.

        Raises:
            IndexError: There is no such frame.
            ValueError: The pack is closed; ``FrameUnreadable``: the file has become shorter.
        """
        if not self._closed.alive:
            raise ValueError(f"{self.name} is closed: open it again to read frames")
        assert self.length is not None
        if not 0 <= index < self.length:
            raise IndexError(f"frame {index} does not exist: the video has {self.length}")
        start, end = self._starts[index], self._starts[index + 1]
        data = os.pread(self._file, end - start, start)
        if len(data) != end - start:
            raise FrameUnreadable(f"frame {index} of {self.name} is cut off")
        return data

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """A frame, RGB.

        Raises:
            FrameUnreadable: It is damaged.
        """
        try:
            return decode_image(self.jpeg(index), name=f"frame {index} of {self.name}")
        except ValueError as error:
            raise FrameUnreadable(str(error)) from error

    def close(self) -> None:
        """Close the file."""
        self._closed()

    def _head(self) -> dict:
        room = os.fstat(self._file).st_size - _END.size
        length, mark = _END.unpack(os.pread(self._file, _END.size, max(0, room)))
        if mark != _MARK or length > room:
            raise ValueError("its end is missing")
        head = json.loads(os.pread(self._file, length, room - length))
        if head["starts"][-1] != room - length:
            raise ValueError(f"frames end at byte {head['starts'][-1]}, expected {room - length}")
        return head
