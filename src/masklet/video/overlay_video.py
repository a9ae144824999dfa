"""An overlay video: the frames with their masks drawn over them, as H.264."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from .atomic import make_folder, temporary_beside, write_error
from .overlay import overlay
from .writer import Masks, Picture, checked_size

_DEFAULT_FPS = 24.0


class OverlayVideoWriter:
    """An H.264 MP4 of the frames with the masks drawn over them; appears at its path only when finished."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: tuple[int, int],
        *,
        fps: float | None = None,
        alpha: float = 0.5,
        labels: bool = True,
    ) -> None:
        """Start a video; odd sides are padded by repeating the last row or column.

        Args:
            path: The file to write.
            size: Height and width of the frames.
            fps: Frames per second, constant; None means 24.
            alpha: Opacity of the fill, 0 to 1.
            labels: Write each object's id at its mask.

        Raises:
            OSError: The file cannot be opened for writing.
        """
        self._path = Path(path)
        self._size = checked_size(size)
        self._alpha = alpha
        self._labels = labels
        self._last: int | None = None
        self._padding = (size[0] % 2, size[1] % 2)
        make_folder(self._path.parent)
        self._temporary = temporary_beside(self._path)
        rate = Fraction(fps if fps else _DEFAULT_FPS).limit_denominator(1001)
        try:
            self._container: OutputContainer = av.open(
                str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream: VideoStream = self._container.add_stream(
                "libx264", rate=rate, options={"crf": "18", "preset": "veryfast"}
            )
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            raise write_error(error, self._path) from error
        self._stream.height = size[0] + self._padding[0]
        self._stream.width = size[1] + self._padding[1]
        self._stream.pix_fmt = "yuv420p"

    def add(self, index: int, masks: Masks, *, frame: Picture | None = None) -> None:
        """Encode one frame; indices must rise, gaps are left out.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
            ValueError: The frame is missing or of another size, or comes before one already written.
        """
        if frame is None:
            raise ValueError("An overlay video needs the picture of each frame: pass frame=source.frame(t).")
        if frame.shape != (*self._size, 3):
            raise ValueError(f"Frame {index} has shape {frame.shape}, the video was started with {(*self._size, 3)}.")
        if self._last is not None and index <= self._last:
            raise ValueError(
                f"Frame {index} comes after frame {self._last}: a video is written in rising order; after tracking "
                "backward, collect the results and add them from the first frame on."
            )
        picture = overlay(frame, masks, self._alpha, labels=self._labels)
        picture = np.pad(picture, ((0, self._padding[0]), (0, self._padding[1]), (0, 0)), mode="edge")
        try:
            self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        except OSError as error:
            self._drop()
            raise write_error(error, self._path) from error
        self._last = index

    def close(self) -> None:
        """Finish the file and put it at its path.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
            ValueError: No frame was added, so there is nothing to write.
        """
        if self._last is None:
            self._drop()
            raise ValueError(f"No frame was added to {self._path}: nothing is written.")
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            os.replace(self._temporary, self._path)
        except OSError as error:
            self._drop()
            raise write_error(error, self._path) from error

    def __enter__(self) -> OverlayVideoWriter:
        """Give the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or remove it after an error."""
        if kind is None:
            self.close()
        else:
            self._drop()

    def _drop(self) -> None:
        """Abandon the file; what the failed container still wants to write is of no interest."""
        with contextlib.suppress(OSError):
            self._container.close()
        self._temporary.unlink(missing_ok=True)
