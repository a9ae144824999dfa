"""A video file that is being encoded: it appears at its path only when it is finished."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .atomic import make_folder, temporary_beside, write_error

_DEFAULT_FPS = 24.0


@dataclass(frozen=True)
class Coding:
    """How pictures become a file.

    Attributes:
        container: FFmpeg's name of the file format.
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        codec_options: What the encoder is told.
        container_options: What the file format is told.
    """

    container: str
    codec: str
    pixels: str
    codec_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)


class EncodedVideo:
    """One stream of pictures in one file.

    Attributes:
        stream: FFmpeg's stream, for what is set before the first frame.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], coding: Coding, *, rate: Fraction, time_base: Fraction | None = None
    ) -> None:
        """Start a file.

        Args:
            path: The file to write.
            size: Height and width.
            coding: How it is encoded.
            rate: Frames per second, as the file states it.
            time_base: Unit of the times of frames, in seconds; None: frames have no times and follow each other.

        Raises:
            OSError: The file cannot be opened for writing.
        """
        self._path = path
        make_folder(path.parent)
        self._temporary = temporary_beside(path)
        try:
            self._container: OutputContainer = av.open(
                str(self._temporary), "w", format=coding.container, options=dict(coding.container_options)
            )
            stream = self._container.add_stream(coding.codec, rate=rate, options=dict(coding.codec_options))
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            raise write_error(error, path) from error
        assert isinstance(stream, VideoStream)
        self.stream = stream
        self.stream.height, self.stream.width = size
        self.stream.pix_fmt = coding.pixels
        if time_base is not None:
            self.stream.codec_context.time_base = time_base

    def add(self, frame: VideoFrame) -> None:
        """Encode one frame.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
        """
        try:
            self._container.mux(self.stream.encode(frame))
        except OSError as error:
            self.drop()
            raise write_error(error, self._path) from error

    def close(self) -> None:
        """Finish the file and put it at its path.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
        """
        try:
            self._container.mux(self.stream.encode(None))
            self._container.close()
            os.replace(self._temporary, self._path)
        except OSError as error:
            self.drop()
            raise write_error(error, self._path) from error

    def drop(self) -> None:
        """Abandon the file; what the failed container still wants to write is of no interest."""
        with contextlib.suppress(OSError):
            self._container.close()
        self._temporary.unlink(missing_ok=True)


def rate_of(fps: float | None) -> Fraction:
    """A frame rate as a fraction, 24 where it is not known."""
    return Fraction(fps if fps else _DEFAULT_FPS).limit_denominator(1001)
