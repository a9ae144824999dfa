"""The process that decodes what users send; see :mod:`~masklet.data_engine.ingest`."""

from __future__ import annotations

import errno
import os
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import av
import av.error
import cv2
import numpy as np

from ..video.folder import ImageFilesReader, images_in_folder, natural_key
from ..video.images import IMAGE_SUFFIXES, decode_image
from ..video.movie import MovieReader
from .child import requested, say
from .frame_pack import PackWriter
from .ingest import IngestLimits

_FILMS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,"
    "ogg,flv,gif,asf,m4v,h264,hevc,mjpeg,apng,ivf,dv,mxf"
)
"""Formats that are films. Others FFmpeg would read, too: playlists, which name other files and addresses to be read."""
_EVERY = 10  # frames between two words of progress
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_IMAGE_BYTES = 256 * 2**20
"""Most bytes of an image in a zip, unpacked."""


def main() -> None:
    """Decode what the request names into the open file that it names."""
    request = requested()
    cv2.setNumThreads(1)
    source, name, descriptor = Path(request.pop("source")), request.pop("name"), request.pop("file")
    limits = IngestLimits(**request)
    try:
        with os.fdopen(descriptor, "wb") as file:
            count, frames, fps = _opened(source, name, limits)
            if count > limits.frames:
                raise ValueError(f"{name} has {count} frames, the limit is {limits.frames}: cut it into shorter ones")
            writer = PackWriter(file, fps)
            for frame in frames:
                writer.add(frame)
                if len(writer) % _EVERY == 1:
                    say(frames=len(writer), of=count)
            writer.finish()
    except (ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        say(error=str(error).replace(str(source), name))
    except MemoryError:
        say(error=f"{name} takes more memory than is allowed: take a smaller one")
    except (av.error.FFmpegError, cv2.error, OSError) as error:
        sys.stderr.write(f"{error!r}\n")
        full = isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOSPC)
        why = "its frames take more room than is allowed: take a shorter one" if full else "it is damaged"
        say(error=f"{name} cannot be brought in: {why}")
    else:
        say(done=True)


def _opened(source: Path, name: str, limits: IngestLimits) -> tuple[int, Iterator[np.ndarray], float | None]:
    """Number of frames, the frames, and their rate.

    Raises:
        ValueError: It is nothing that can be taken.
    """
    if source.is_dir():
        reader: Any = ImageFilesReader(images_in_folder(source), name=name, max_pixels=limits.pixels)
        return reader.length, _read(reader), None
    with source.open("rb") as file:
        start = file.read(2**16)
    if not start:
        raise ValueError(f"{name} is empty (0 bytes): expected a film, an image, or a zip of images")
    if start.startswith(_ZIP_STARTS):
        return _zip(source, name, limits)
    if _is_film(source):
        reader = MovieReader(source, max_pixels=limits.pixels)
        return reader.length, _read(reader), reader.fps
    image = _image(source.read_bytes(), name, limits)
    return 1, iter([image]), None


def _read(reader: Any) -> Iterator[np.ndarray]:
    return (reader.read(t) for t in range(reader.length))


def _is_film(source: Path) -> bool:
    """Whether it is a film, as far as its format goes; the format is known before anything else is read."""
    options = {"format_whitelist": _FILMS, "protocol_whitelist": "file"}
    try:
        with av.open(str(source), options=options, metadata_errors="ignore"):
            return True
    except (av.error.FFmpegError, ValueError):
        return False


def _image(data: bytes, name: str, limits: IngestLimits) -> np.ndarray:
    try:
        return decode_image(data, name=name, max_pixels=limits.pixels)
    except ValueError as error:
        if "unknown format" not in str(error):
            raise
        raise ValueError(
            f"{name} is no film, image or zip of images, or it is damaged or cut off: expected one as .mp4, .webm, .jpg"
        ) from error


def _zip(source: Path, name: str, limits: IngestLimits) -> tuple[int, Iterator[np.ndarray], None]:
    archive = zipfile.ZipFile(source)
    images = _images_of(archive, name, limits)
    return len(images), (_image(_unpacked(archive, one, name), _said(one), limits) for one in images), None


def _images_of(archive: zipfile.ZipFile, name: str, limits: IngestLimits) -> list[zipfile.ZipInfo]:
    """The images of a zip in natural order; hidden files and those of other kinds are passed over.

    Raises:
        ValueError: There is none, a name leads out of the zip, or they are larger unpacked than is allowed.
    """
    entries = archive.infolist()
    for one in entries:
        path = PurePosixPath(one.filename.replace("\\", "/"))
        drive = re.match(r"[A-Za-z]:", one.filename)
        if path.is_absolute() or ".." in path.parts or drive or "\0" in one.orig_filename:
            raise ValueError(f"{name} holds the file name {one.filename!r:.100}, which leads out of it: zip it anew")
    images = [
        one
        for one in entries
        if not one.is_dir()
        and PurePosixPath(one.filename).suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(one.filename).parts)
    ]
    if not images:
        raise ValueError(f"{name} is a zip without an image: expected .jpg or .png files, one a frame")
    total, largest = sum(one.file_size for one in images), max(one.file_size for one in images)
    if total > limits.unpacked or largest > _IMAGE_BYTES:
        raise ValueError(f"{name} is {total:,} bytes unpacked, which is more than is allowed: take fewer images")
    return sorted(images, key=lambda one: natural_key(one.filename))


def _unpacked(archive: zipfile.ZipFile, one: zipfile.ZipInfo, name: str) -> bytes:
    """Bytes of an image; never more than its entry says, which is bounded."""
    with archive.open(one) as file:
        data = file.read(one.file_size + 1)
    if len(data) != one.file_size:
        raise ValueError(f"{name}: {_said(one)} is {one.file_size} bytes by its entry, but another size unpacked")
    return data


def _said(one: zipfile.ZipInfo) -> str:
    return PurePosixPath(one.filename).name[:100]


if __name__ == "__main__":
    main()
