"""Objects cut out of frames as videos with an alpha channel: ProRes 4444 for editors, VP9 for browsers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import UInt8

from .atomic import make_folder
from .cut_out import ObjectShots, checked_picture, cut_out
from .encoded_video import Coding, EncodedVideo, rate_of
from .writer import Masks, Picture

AlphaCodec = Literal["prores", "vp9"]
_CODINGS: dict[AlphaCodec, Coding] = {
    "prores": Coding("mov", "prores_ks", "yuva444p10le", {"profile": "4444", "vendor": "apl0", "alpha_bits": "16"}),
    # libvpx cannot hide frames (auto-alt-ref) where there is alpha
    "vp9": Coding(
        "webm", "libvpx-vp9", "yuva420p",
        {"crf": "18", "b": "0", "auto-alt-ref": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
    ),
}  # fmt: skip
_BT709 = 1  # of primaries, transfer and matrix in ISO/IEC 23091-2, which FFmpeg follows
_FINEST = 1_000_000  # ticks a second; finer clocks are rounded to that of MPEG
_MPEG_CLOCK = 90_000


class CutOutVideoWriter:
    """One video an object, ``<object, three digits>.mov`` or ``.webm``: RGB with straight alpha, as ``cut_out`` makes.

    All start with the first frame added and have the same frames, so that editors can lay them on each other; where an
    object is not seen its video is transparent. Frames are shown when the source shows them, at a variable rate too
    (WebM rounds to milliseconds). Without sound. A reader of VP9 must be told to use libvpx, else it drops alpha.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        size: tuple[int, int],
        codec: AlphaCodec = "prores",
        *,
        fps: float | None = None,
        times: Sequence[Fraction] | None = None,
    ) -> None:
        """Write into ``folder``, made when missing; files appear when they are finished.

        Args:
            folder: Where the videos go.
            size: Height and width of the frames.
            codec: ``prores`` (4444, 10 bits, 16 of alpha, in MOV) or ``vp9`` (8 bits, in WebM).
            fps: Frames per second where there are no times; None means 24.
            times: Seconds of every frame of the source, such as ``FrameSource.times``.

        Raises:
            OSError: The folder cannot be made.
        """
        self._folder = make_folder(Path(folder))
        self._shots = ObjectShots(size)
        self._coding = _CODINGS[codec]
        self._rate = rate_of(fps)
        self._times = times
        self._tick = 1 / self._rate if times is None else _tick_of(times)
        self._first: Fraction | None = None
        self._last: int | None = None
        self._files: dict[int, EncodedVideo] = {}

    def add(self, index: int, masks: Masks, *, frame: Picture | None = None) -> None:
        """Encode the objects of one frame; indices must rise, what lies in a gap is not shown.

        Raises:
            OSError: A file cannot be written, for instance because the disk is full.
            ValueError: The frame is missing, of another size or without a time, or comes before one already written;
                an id is negative, or a mask has another size.
        """
        picture = checked_picture(index, frame, self._shots.size)
        if self._last is not None and index <= self._last:
            raise ValueError(f"Frame {index} comes after frame {self._last}: a video is written in rising order.")
        if self._times is not None and not 0 <= index < len(self._times):
            raise ValueError(f"Frame {index} has no time: got times of {len(self._times)} frames.")
        for object_id, shot, mask in self._shots.add(index, masks):
            if object_id not in self._files:
                self._files[object_id] = self._open(object_id)
            self._files[object_id].add(self._frame(cut_out(picture, mask), shot))
        self._last = index

    def close(self) -> None:
        """Finish the files and put them at their paths.

        Raises:
            OSError: A file cannot be written, for instance because the disk is full.
        """
        while self._files:
            self._files.pop(next(iter(self._files))).close()

    def __enter__(self) -> CutOutVideoWriter:
        """Give the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the files, or remove them after an error."""
        try:
            if kind is None:
                self.close()
        finally:
            for file in self._files.values():
                file.drop()

    def _open(self, object_id: int) -> EncodedVideo:
        path = self._folder / f"{object_id:03d}.{self._coding.container}"
        file = EncodedVideo(path, self._shots.size, self._coding, rate=self._rate, time_base=self._tick)
        file.stream.bit_rate = 0  # quality is what is held
        context = file.stream.codec_context
        context.color_range = ColorRange.MPEG
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        return file

    def _frame(self, pixels: UInt8[np.ndarray, "h w 4"], index: int) -> av.VideoFrame:
        frame = _converted(pixels, self._coding.pixels)
        time = index / self._rate if self._times is None else self._times[index]
        self._first = time if self._first is None else self._first
        frame.pts, frame.time_base = round((time - self._first) / self._tick), self._tick
        return frame


def _converted(pixels: UInt8[np.ndarray, "h w 4"], format: str) -> av.VideoFrame:
    """Another pixel format, in BT.709.

    Rows whose width is no multiple of 32 go through wider ones: several threads of FFmpeg's scaler each convert some
    rows, and write beyond the end of the last one, at times after another thread has written the next row.
    """
    height, width = pixels.shape[:2]
    wide = av.VideoFrame.from_ndarray(np.pad(pixels, ((0, 0), (0, -width % 32), (0, 0)), mode="edge"), format="rgba")
    wide = wide.reformat(format=format, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
    if wide.width == width:
        return wide
    frame = av.VideoFrame(width, height, format)
    frame.colorspace, frame.color_range = wide.colorspace, wide.color_range
    for plane, given in zip(frame.planes, wide.planes, strict=True):
        line = min(plane.line_size, given.line_size)
        _rows(plane)[:, :line] = _rows(given)[:, :line]
    return frame


def _rows(plane: VideoPlane) -> UInt8[np.ndarray, "h bytes"]:
    """The memory of a plane, not a copy."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)  # pyright: ignore


def _tick_of(times: Sequence[Fraction]) -> Fraction:
    """A unit in which all times are whole numbers."""
    ticks = math.lcm(*(time.denominator for time in times))
    return Fraction(1, ticks if ticks <= _FINEST else _MPEG_CLOCK)
