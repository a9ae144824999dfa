"""The process that reads archives that users import; see :mod:`~masklet.data_engine.imports`."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import cv2

from ..data.open import open_dataset
from ..data.records import AnnotatedVideo, VideoDataset
from ..interchange.video_masks import VideoMasks, read_masks
from ..video.images import DEFAULT_MAX_PIXELS
from .archives import ArchiveLimits, unzip
from .child import requested, say
from .finished_masks import stem
from .staged_masklets import stage

_FILES = (".json", ".xml")
"""Endings of annotation files that need no archive."""
_LAST_NUMBER = re.compile(r"(\d+)$")


def main() -> None:
    """Read what the request names into the staging folder that it names."""
    request = requested()
    cv2.setNumThreads(1)
    name = request["name"]
    try:
        root = _root(_unpacked(request))
        done = _staged(open_dataset(root, request["format"]), request)
    except MemoryError:
        say(error=f"{name} takes more memory than is allowed: take a smaller one")
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error!r}\n")
        full = isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOSPC)
        why = "it takes more room than is allowed: take a smaller one" if full else str(error)
        for path in (_file(request), _inside(request)):
            why = why.replace(str(path), name)
        say(error=why)
    else:
        say(done=done)


def _inside(request: dict[str, Any]) -> Path:
    return Path(request["staging"], "archive")


def _file(request: dict[str, Any]) -> Path:
    return _inside(request).with_suffix(Path(request["name"]).suffix.lower())


def _unpacked(request: dict[str, Any]) -> Path:
    """The data set as a folder, or as the annotation file that it is."""
    source, inside = Path(request["source"]), _inside(request)
    if source.is_dir():
        return source
    if (link := _file(request)).suffix in _FILES:
        link.symlink_to(source)
        return link
    unzip(source, inside, ArchiveLimits(request["files"], request["unpacked"]))
    return inside


def _root(folder: Path) -> Path:
    """Where the data set begins: archives often hold one folder with everything in it."""
    inner = [one for one in folder.iterdir() if not one.name.startswith((".", "__"))] if folder.is_dir() else []
    wrapped = len(inner) == 1 and inner[0].is_dir() and inner[0].name != "annotations"
    return inner[0] if wrapped and not (inner[0] / "annotations.xml").is_file() else folder


def _staged(dataset: VideoDataset, request: dict[str, Any]) -> dict[str, Any]:
    """Stage all videos that the project has.

    Gives ``videos``, each with its position in the data set, its name and the number of masks that were left out, and
    ``without_video``, names that the project has not.

    Raises:
        ValueError: A mask is damaged or does not belong to its video, or the masks take too much room.
    """
    videos, every, room = request["videos"], request["every"], request["staged"]
    there, unmatched = [], []
    for position, (masks, done) in enumerate(_read(dataset)):
        name = stem(masks.name)
        if name not in videos:
            unmatched.append(masks.name)
        elif masks.objects:
            _check(masks, *videos[name])
            room -= stage(Path(request["staging"], f"{position}.jsonl"), masks, every, room)
            there.append([position, name, sum(len(m) for frame, m in masks.masks.items() if frame % every)])
        say(progress=done)
    return {"videos": there, "without_video": unmatched}


def _check(masks: VideoMasks, height: int, width: int, frames: int) -> None:
    """Raise a ValueError where masks are not those of a video of this size and length."""
    last = max(masks.masks, default=-1)
    if masks.size != (height, width) or last >= frames:
        raise ValueError(
            f"{masks.name} has masks of {masks.size[1]}x{masks.size[0]} pixels up to frame {last}, the video has "
            f"{frames} frames of {width}x{height}: they do not belong together"
        )


def _read(dataset: VideoDataset) -> Iterator[tuple[VideoMasks, float]]:
    """The videos of a data set, each with the share of the data set that is read by then."""
    if not dataset.stills:
        for done, video in enumerate(dataset, start=1):
            yield _masks(video, still=False), done / len(dataset)
        return
    grouped: dict[str, dict[int, VideoMasks]] = {}
    for video in dataset:
        masks = _masks(video, still=True)
        path = PurePosixPath(masks.name)
        number = _LAST_NUMBER.search(path.stem)
        if not path.parent.name or number is None:
            raise ValueError(f"image {masks.name} has no folder or no number: expected names like video/00012.jpg")
        grouped.setdefault(path.parent.name, {})[int(number[1])] = masks
    for done, (name, frames) in enumerate(sorted(grouped.items()), start=1):
        yield _joined(name, frames), done / len(grouped)


def _masks(video: AnnotatedVideo, *, still: bool) -> VideoMasks:
    """Its masks, once its name leads nowhere else and its size is one that is read: files may say anything.

    Raises:
        ValueError: They do.
    """
    if video.name.startswith("/") or ".." in PurePosixPath(video.name).parts:
        raise ValueError(f"the data set has a video {video.name!r:.80}, which is no name: rename it")
    height, width = video.size
    if height * width > DEFAULT_MAX_PIXELS:
        raise ValueError(f"{video.name} has {width}x{height} pixels, expected at most {DEFAULT_MAX_PIXELS:,}")
    return read_masks(video, still=still)


def _joined(name: str, frames: dict[int, VideoMasks]) -> VideoMasks:
    """Images as frames of one video."""
    ordered = sorted(frames.items())
    first = ordered[0][1]
    wrong = next((one for _, one in ordered if one.size != first.size), None)
    if wrong is not None:
        raise ValueError(f"{wrong.name} is of another size than {first.name}: frames of a video have one size")
    return replace(
        first,
        name=name,
        files=(),  # nobody asks, and the last number may be anything
        masks={frame: one.masks.get(0, {}) for frame, one in ordered},
        unknown={frame: one.unknown[0] for frame, one in ordered if 0 in one.unknown},
        categories={number: category for _, one in ordered for number, category in one.categories.items()},
        still=False,
    )


if __name__ == "__main__":
    main()
