"""Frames from a movie file, through PyAV: exact frame numbers, random access, rotation applied.

A frame's number is its rank among the presentation times of all packets, which are listed once at opening without
decoding. Reading on in order only decodes; going elsewhere seeks to the key frame before and decodes up to the frame.
Going back keeps some of the frames decoded on the way, so that reading backward decodes a group of pictures a few times
instead of once a frame.
"""

from __future__ import annotations

import logging
import struct
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, runtime_checkable

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from .reader import FrameUnreadable

logger = logging.getLogger(__name__)

_SEEK_ATTEMPTS = 3  # key frames tried, going back, before decoding from the start of the file
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})  # text files that FFmpeg would play as ANSI art
_KEPT_BYTES = 64 * 2**20  # of frames kept after going back, as the decoder gives them
_KEPT_FRAMES = 256
_READ_ON = 12  # frames ahead that are decoded rather than sought, when no key frame lies between


@runtime_checkable
class MovieFile(Protocol):
    """A file that can be opened as bytes more than once: a path, or what stands for one in object storage."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Open it anew, seekable."""
        ...


class MovieReader:
    """Reads frames of a movie file by their number in order of presentation.

    A variable frame rate needs nothing special: frames are numbered, not timed. Pixels that are not square stay so.
    """

    def __init__(self, path: MovieFile, *, max_pixels: int) -> None:
        """Open the file, list its frames and decode the first one.

        FFmpeg opens a local path itself; any other file is read through the object that its ``open`` gives.

        Raises:
            PermissionError: The file may not be read.
            ValueError: It is empty, no movie, damaged, without a picture, or larger than ``max_pixels`` a frame.
        """
        self.name = str(path)
        self.files: Sequence[Path] = (path,) if isinstance(path, Path) else ()
        self._path = path
        self._warned: set[str] = set()
        self._kept: deque[tuple[int, VideoFrame]] = deque()
        self._matrices: dict[int, bytes | None] = {}
        self._container = _open_container(path)
        try:
            self._stream = _video_stream(self._container, self.name)
            height, width = self._stream.codec_context.height, self._stream.codec_context.width
            if height * width > max_pixels:
                raise ValueError(
                    f"{self.name} has frames of {width}x{height} = {height * width:,} pixels, the limit is "
                    f"{max_pixels:,}: pass a larger max_pixels (--max-pixels) if memory allows, or scale it down."
                )
            self._times, keys = self._list_frames()
            self._number: dict[int | None, int] = {time: number for number, time in enumerate(self._times)}
            self._timed = len(self._number) == len(self._times)
            self._keys = sorted(self._number[time] for time in keys if time in self._number)
        except ValueError:
            self._container.close()
            raise
        self.length: int | None = len(self._times)
        self.fps = self._mean_rate()
        self.times: Sequence[Fraction] | None = self._clock()
        self._decoded = self._decode()
        self._next = 0
        self._pending: np.ndarray | None = None
        self._rewind()
        try:
            self._pending = self._read_on(0)
        except FrameUnreadable:
            self._container.close()
            raise
        if self._pending is None:
            self._container.close()
            raise ValueError(f"{self.name}: the first frame cannot be decoded although the file lists it.")
        self.size: tuple[int, int] = self._pending.shape[:2]

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode one frame, seeking only where reading on would be longer.

        Raises:
            FrameUnreadable: The file is damaged or cut off at this frame.
        """
        if index == 0 and self._pending is not None:
            image, self._pending = self._pending, None
            return image
        kept = next((frame for number, frame in self._kept if number == index), None)
        if kept is not None:
            return self._upright(kept)
        key = bisect_right(self._keys, index) - 1
        back = index < self._next
        near = self._next <= index and (key < 0 or self._keys[key] <= self._next or index - self._next <= _READ_ON)
        if near:
            self._kept.clear()  # who reads on does not go back
            image = self._read_on(index)
            if image is not None:
                return image
        for attempt in range(_SEEK_ATTEMPTS):
            if key - attempt < 0:
                break
            if not self._seek(self._keys[key - attempt]):
                break
            image = self._read_on(index, keep_from=self._keys[key - attempt] if back else None)
            if image is not None:
                return image
        self._rewind()
        image = self._read_on(index, keep_from=0 if back else None)
        if image is None:
            raise FrameUnreadable(
                f"Frame {index} of {self.name} cannot be decoded: the file is damaged or cut off there. It lists "
                f"{self.length} frames; re-encoding it (ffmpeg -i in.mp4 out.mp4) keeps those that can be read."
            )
        return image

    def close(self) -> None:
        """Close the file."""
        self._decoded = iter(())
        self._kept.clear()
        self._container.close()

    def _list_frames(self) -> tuple[list[int], list[int]]:
        """Presentation times of all frames, ascending, and those of key frames."""
        times: list[int] = []
        keys: list[int] = []
        complete = True
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None:
                    complete = False
                    continue
                times.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        except av.error.FFmpegError as error:
            self._warn(f"is damaged after {len(times)} frames: {error}")
        if not complete or len(set(times)) != len(times) or self._times_are_of_decoding(times):
            logger.info("%s has frames without a time of their own: counting them by decoding.", self.name)
            return self._count_by_decoding(), []
        first = self._first_decodable()
        if first is None:
            raise ValueError(f"{self.name} has no frame that can be decoded: it is damaged, cut off or empty.")
        times = sorted(time for time in times if time >= first)  # a cut may leave frames that need missing ones
        promised = self._stream.frames
        if promised > len(times):
            self._warn(f"promises {promised} frames, {len(times)} are there: it may be cut off.")
        return times, keys

    def _times_are_of_decoding(self, times: list[int]) -> bool:
        """Whether ``times``, in the order of packets, only count packets: AVI has no times of presentation.

        FFmpeg works them out for some codecs, not for H.264. Where frames are reordered, true times do not rise.
        """
        reordered = self._stream.codec_context.has_b_frames
        return self._container.format.name == "avi" and bool(reordered) and times == sorted(times)

    def _first_decodable(self) -> int | None:
        self._rewind()
        frame = next(self._decoded, None)
        return None if frame is None else frame.pts

    def _count_by_decoding(self) -> list[int]:
        """One entry a frame, all alike: frames are then told apart by counting from the start of the file."""
        self._rewind()
        times = [0 for _ in self._decoded]
        if not times:
            raise ValueError(f"{self.name} has no frame that can be decoded: it is damaged, cut off or empty.")
        return times

    def _mean_rate(self) -> float | None:
        if len(self._times) > 1 and self._stream.time_base is not None and self._times[-1] > self._times[0]:
            return float((len(self._times) - 1) / ((self._times[-1] - self._times[0]) * self._stream.time_base))
        rate = self._stream.average_rate or self._stream.guessed_rate
        return float(rate) if rate else None

    def _clock(self) -> tuple[Fraction, ...] | None:
        """Seconds from the first frame to each."""
        unit = self._stream.time_base
        if not self._timed or unit is None:
            return None
        return tuple((time - self._times[0]) * unit for time in self._times)

    def _read_on(self, index: int, *, keep_from: int | None = None) -> UInt8[np.ndarray, "h w 3"] | None:
        """Decode forward to a frame; None when the decoder passes it or the file ends.

        With ``keep_from``, the last frames before the one asked for are kept, none of them before that number: after a
        seek, frames before the key frame may be shown that lack what they refer to.
        """
        if keep_from is not None:
            self._kept.clear()
        room = _KEPT_BYTES
        for frame in self._decoded:
            number = self._number.get(frame.pts) if self._timed else self._next
            if number is None:
                continue
            self._next = number + 1
            if number == index:
                return self._upright(frame)
            if number > index:
                return None
            if keep_from is not None and number >= keep_from:
                self._kept.append((number, frame))
                room -= _bytes_of(frame)
                while room < 0 or len(self._kept) > _KEPT_FRAMES:
                    room += _bytes_of(self._kept.popleft()[1])
        self._next = len(self._times)
        return None

    def _upright(self, frame: VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
        """RGB pixels the right way up.

        A frame whose side data was looked at waits for the garbage collector, a hundred frames long. So that is done
        once for each angle, which newer versions of PyAV give without it.
        """
        image, angle = frame.to_ndarray(format="rgb24"), getattr(frame, "rotation", None)
        if angle is None:
            return _turned(image, _display_matrix(frame))
        if angle not in self._matrices:
            self._matrices[angle] = _display_matrix(frame)
        return _turned(image, self._matrices[angle])

    def _decode(self) -> Iterator[VideoFrame]:
        """Frames from the current position on; packets that cannot be decoded are passed over."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.error.FFmpegError as error:
                    if isinstance(error, av.error.EOFError):
                        return
                    self._warn(f"has a packet at time {packet.pts} that cannot be decoded: {error}")
        except av.error.FFmpegError as error:
            self._warn(f"cannot be read further: {error}")

    def _warn(self, what: str) -> None:
        """Log a warning, once however often the place is read."""
        if what not in self._warned:
            self._warned.add(what)
            logger.warning("%s %s", self.name, what)

    def _seek(self, number: int) -> bool:
        """Go to a key frame; False when the format cannot seek."""
        try:
            self._container.seek(self._times[number], stream=self._stream, backward=True)
        except av.error.FFmpegError:
            return False
        self._decoded = self._decode()
        return True

    def _rewind(self) -> None:
        """Start over by opening the file again, which every format allows."""
        self._container.close()
        self._container = _open_container(self._path)
        self._stream = _video_stream(self._container, self.name)
        self._decoded = self._decode()
        self._next = 0


def _open_container(path: MovieFile) -> InputContainer:
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except PermissionError as error:
        raise PermissionError(error.errno, "No permission to read the video", str(path)) from error
    if empty:
        raise ValueError(f"{path} is empty (0 bytes): expected a movie.")
    try:
        source = str(path) if isinstance(path, Path) else path.open("rb")
        container = av.open(source, "r", metadata_errors="ignore")
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be opened as a movie ({error.strerror}): it is damaged, cut off or of an unknown format."
        ) from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise ValueError(f"{path} cannot be opened as a movie: it is a text file.")
    return container


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    cover = Disposition.attached_pic
    stream = next((s for s in container.streams.video if not s.disposition & cover), None)
    if stream is None:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise ValueError(f"{name} has no video stream, only {kinds}: expected a movie with pictures.")
    if stream.codec_context is None:
        raise ValueError(f"{name} is coded in a way this build of FFmpeg cannot decode.")
    stream.thread_type = "AUTO"
    return stream


def _bytes_of(frame: VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)


def _display_matrix(frame: VideoFrame) -> bytes | None:
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else bytes(data)


def _turned(image: UInt8[np.ndarray, "h w 3"], data: bytes | None) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Pixels turned and mirrored as a display matrix says (to the nearest quarter turn)."""
    if data is None:
        return image
    # x' = a x + c y and y' = b x + d y, in display coordinates (y down), 16.16 fixed point in the machine's byte order.
    a, b, _, c, d = struct.unpack_from("=5i", data)
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, across, down = image.transpose(1, 0, 2), c, b
    else:
        across, down = a, d
    image = image[:, ::-1] if across < 0 else image
    image = image[::-1] if down < 0 else image
    return np.ascontiguousarray(image)
