"""Lazy, seekable frame sources: one interface over movies, folders, arrays, iterators and cameras."""

from __future__ import annotations

import glob
import operator
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import UInt8

from .images import DEFAULT_MAX_PIXELS, IMAGE_SUFFIXES
from .reader import EndOfStream, FrameReader, FrameUnreadable

_STREAM_URL = re.compile(r"^(rtsp|rtsps|rtmp|udp|rtp)://", re.IGNORECASE)
_CAMERA = re.compile(r"^camera:(\d+)$")


class FrameSource:
    """Frames of a video by index, read when asked for; safe to share between threads.

    Attributes:
        name: What errors and logs call the source.
        size: Height and width of every frame, upright.
        fps: Frames per second; of a variable rate the mean; None when the source has no clock.
        files: Files that frames are read from; none for arrays and streams.
        times: Seconds from the first frame to each, exact; None when the source has no clock.
    """

    def __init__(self, reader: FrameReader, *, cache: int = 8) -> None:
        """Wrap a reader; ``cache`` is the number of frames kept for repeated access."""
        self.name = reader.name
        self.size = reader.size
        self.fps = reader.fps
        self.files = reader.files
        self.times = reader.times
        self._reader = reader
        self._capacity = cache
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = RLock()
        self._closed = False
        self._reading: ThreadPoolExecutor | None = None
        self._ahead: Future[None] | None = None
        self._awaited: int | None = None

    @property
    def length(self) -> int | None:
        """Number of frames; None for a stream that has not ended yet."""
        return self._reader.length

    def __len__(self) -> int:
        """Number of frames.

        Raises:
            TypeError: The source is a stream of unknown length.
        """
        if self.length is None:
            raise TypeError(f"{self.name} is a stream of unknown length: iterate over it, or check .length for None.")
        return self.length

    def frame(self, index: SupportsIndex) -> UInt8[np.ndarray, "h w 3"]:
        """Frame ``index``, counted from 0 in the order of presentation; RGB, read-only.

        Raises:
            IndexError: The index is out of range; ``EndOfStream`` where the length was not known before.
            FrameUnreadable: The file is damaged at this frame, or the frame has another size than the first.
            ValueError: The source is closed, or is a stream that has already passed this frame.
        """
        with self._lock:
            if self._closed:
                raise ValueError(f"{self.name} is closed: open it again to read frames.")
            number = self._checked(index)
            if number == self._awaited:
                self._awaited = None
            if number in self._cache:
                self._cache.move_to_end(number)
                return self._cache[number]
            image = self._reader.read(number)
            if image.shape[:2] != self.size:
                raise FrameUnreadable(
                    f"Frame {number} of {self.name} has {image.shape[1]}x{image.shape[0]} pixels, the first frame has "
                    f"{self.size[1]}x{self.size[0]}: all frames of a video must have the same size."
                )
            image = image.view()
            image.flags.writeable = False
            self._cache[number] = image
            if len(self._cache) > self._capacity:
                self._cache.popitem(last=False)
            return image

    def prepare(self, index: int, then: Callable[[UInt8[np.ndarray, "h w 3"]], None] | None = None) -> None:
        """Begin to read a frame on a second thread, so that it is there when it is asked for.

        Nothing happens where there is no such frame, while another one is being read so, or where frames do not come
        from files: a stream would be read before its time.

        Args:
            index: The frame.
            then: Gets the frame on that thread; who asks for a frame meanwhile waits for this, too.
        """
        if not self.files or not (self._ahead is None or self._ahead.done()):
            return
        with self._lock:
            wanted = self.length is not None and 0 <= index < self.length and index not in self._cache
            if self._closed or not wanted:
                return
            self._reading = self._reading or ThreadPoolExecutor(1, thread_name_prefix="masklet-frames")
            self._awaited = index
            self._ahead = self._reading.submit(self._read_quietly, index, then)

    def _read_quietly(self, index: int, then: Callable[[UInt8[np.ndarray, "h w 3"]], None] | None = None) -> None:
        with self._lock, suppress(IndexError, ValueError):  # whoever asks for the frame is told
            if self._awaited == index:  # else it was asked for before the thread came to it: do not go back for it
                frame = self.frame(index)
                if then is not None:
                    then(frame)

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """All frames in order; a stream until it ends."""
        index = 0
        while self.length is None or index < self.length:
            try:
                image = self.frame(index)
            except EndOfStream:
                return
            yield image
            index += 1

    def close(self) -> None:
        """Release the file or device; frames cannot be read any more."""
        with self._lock:
            self._closed = True
            self._cache.clear()
            self._reader.close()
        if self._reading is not None:
            self._reading.shutdown()

    def __enter__(self) -> FrameSource:
        """Give the source itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the source."""
        self.close()

    def _checked(self, given: SupportsIndex) -> int:
        try:
            index = operator.index(given)
        except TypeError:
            raise TypeError(f"A frame index is a whole number, got {given!r}.") from None
        if self.length is not None and not 0 <= index < self.length:
            raise IndexError(
                f"Frame {index} does not exist: {self.name} has {self.length} frames, 0 to {self.length - 1}."
            )
        if index < 0:
            raise IndexError(f"Frame {index} does not exist: frames of {self.name} are counted from 0.")
        return index


def open_source(source: Any, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> FrameSource:
    """Open any kind of video; nothing but the first frame and a movie's packet index is read here.

    Args:
        source: A movie file; a folder of images, a glob or a list of image paths (natural order for the first two, the
            list's own for a list); a single image; an array or tensor ``t h w c``; a list of arrays or PIL images; an
            iterator or generator of such (forward only); a camera as an index, ``"camera:0"`` or an ``rtsp://``
            address; or a ``FrameSource``, which is returned as it is.
        max_pixels: Frames with more pixels are refused.

    Raises:
        FileNotFoundError: Nothing is found at the path, or no file matches the glob.
        PermissionError: The file or folder may not be read.
        ValueError: The source is empty, damaged, holds no picture, or is of an unknown kind.
    """
    from .arrays import ArrayReader
    from .stream import StreamReader, open_camera

    if isinstance(source, FrameSource):
        return source
    if isinstance(source, bool) or source is None:
        raise ValueError(f"Cannot open {source!r} as a video.")
    if isinstance(source, int):
        return FrameSource(open_camera(source))
    if isinstance(source, (str, os.PathLike)):
        return FrameSource(_open_path(os.fspath(source), max_pixels))
    if isinstance(source, Sequence):
        if source and all(isinstance(item, (str, os.PathLike)) for item in source):
            from .folder import ImageFilesReader

            paths = [Path(item) for item in source]
            return FrameSource(ImageFilesReader(paths, name=f"list of {len(paths)} images", max_pixels=max_pixels))
        return FrameSource(ArrayReader(source))
    if hasattr(source, "shape"):
        return FrameSource(ArrayReader(source))
    if isinstance(source, Iterable):
        return FrameSource(StreamReader(iter(source), name="iterator of frames"), cache=2)
    raise ValueError(
        f"Cannot open a {type(source).__name__} as a video: expected a path, a list of images, an array (t, h, w, 3), "
        "an iterator of frames or a camera index."
    )


def _open_path(text: str, max_pixels: int) -> FrameReader:
    from .folder import ImageFilesReader, images_in_folder, natural_key
    from .movie import MovieReader
    from .stream import open_camera

    if not text:
        raise ValueError("Cannot open '' as a video: give the path of a movie, an image or a folder of images.")
    camera = _CAMERA.match(text)
    if camera or _STREAM_URL.match(text):
        return open_camera(int(camera.group(1)) if camera else text)
    if re.match(r"^[a-z][a-z0-9+]+://", text, re.IGNORECASE):
        raise ValueError(f"Cannot open {text}: download it first, and give the path of the file.")
    path = Path(text).expanduser()
    if path.is_dir():
        return ImageFilesReader(images_in_folder(path), name=str(path), max_pixels=max_pixels)
    if path.exists():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageFilesReader([path], name=str(path), max_pixels=max_pixels)
        return MovieReader(path, max_pixels=max_pixels)
    if glob.has_magic(str(path)):
        matches = [Path(match) for match in glob.glob(str(path), recursive=True)]
        images = sorted((match for match in matches if match.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
        if not images:
            raise FileNotFoundError(f"No image matches {text} ({len(matches)} other files do).")
        return ImageFilesReader(images, name=text, max_pixels=max_pixels)
    raise FileNotFoundError(
        f"There is no file or folder {text}: expected a movie, an image, a folder of images or a glob."
    )
