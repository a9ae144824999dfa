"""Copies of the pictures, named as the format wants them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from ..data.records import EncodedFrames
from ..video.atomic import make_folder
from .video_masks import VideoMasks

_QUALITY = 95


def copy_picture(video: VideoMasks, frame: int, target: Path) -> None:
    """Put one frame into a file: its own file as it is, or a JPEG of quality 95 of a movie's frame.

    Raises:
        ValueError: The video has no pictures.
        OSError: A file is missing or cannot be written.
    """
    if video.frames is None:
        raise ValueError(f"{video.name} has no pictures to copy: give the frames (--video), or leave --pictures out")
    make_folder(target.parent)
    if isinstance(video.frames, EncodedFrames):
        data = video.frames.encoded(frame)
    else:
        image = np.ascontiguousarray(video.frames.image(frame)[..., ::-1])
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    target.write_bytes(data)


def copy_pictures(video: VideoMasks, folder: Path) -> None:
    """Put every frame into a folder under the name of its file; errors as for ``copy_picture``."""
    for frame, name in enumerate(video.files):
        copy_picture(video, frame, folder / PurePosixPath(name).name)
