"""An overlay video: the frames with their masks drawn over them, as H.264."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from .encoded_video import Coding, EncodedVideo, rate_of
from .overlay import overlay
from .writer import Masks, Picture, checked_size

_H264 = Coding(
    "mp4", "libx264", "yuv420p", {"crf": "18", "preset": "veryfast"}, container_options={"movflags": "+faststart"}
)


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
        padded = size[0] + self._padding[0], size[1] + self._padding[1]
        self._file = EncodedVideo(self._path, padded, _H264, rate=rate_of(fps))

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
        self._file.add(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        self._last = index

    def close(self) -> None:
        """Finish the file and put it at its path.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
            ValueError: No frame was added, so there is nothing to write.
        """
        if self._last is None:
            self._file.drop()
            raise ValueError(f"No frame was added to {self._path}: nothing is written.")
        self._file.close()

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
            self._file.drop()
