"""MOTS: a text file a video, a line a mask."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..data.mots import CLASSES, IGNORED
from ..video.atomic import make_folder
from .losses import Losses
from .options import WriteOptions
from .overlap import frames_apart
from .pictures import copy_picture
from .video_masks import VideoMasks

_NUMBERS = {name: number for number, name in CLASSES.items()}


def write_mots(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``instances_txt/<video>.txt`` with the frames' numbers from 0 and the objects' ids as they are.

    Raises:
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    others: dict[str, int] = {}
    lines = make_folder(out / "instances_txt")
    for video in videos:
        losses.unsaid(video)
        losses.all_frames(video)
        name = video.flat
        kinds = {number: _class(video.categories.get(number, options.category), others) for number in video.objects}
        losses.add("class", video, count=sum(kind not in CLASSES for kind in kinds.values()))
        height, width = video.size
        with (lines / f"{name}.txt").open("x", encoding="ascii") as file:
            for frame, masks in frames_apart(video, losses):
                for number, code in masks.items():
                    file.write(f"{frame} {number} {kinds[number]} {height} {width} {code['counts']}\n")
        last = max((frame for frame, masks in video.masks.items() if masks), default=-1)
        losses.add("tail", video, count=0 if options.pictures else video.count - 1 - last)
        if options.pictures:
            for frame, picture in enumerate(video.files):
                copy_picture(video, frame, out / "image_02" / name / f"{frame:06d}{PurePosixPath(picture).suffix}")


def _class(category: str, others: dict[str, int]) -> int:
    """Number of a class; a category that is a number keeps it, unless it means something else."""
    if category in _NUMBERS:
        return _NUMBERS[category]
    if category.isdecimal() and int(category) not in (0, *CLASSES, IGNORED):
        return int(category)
    taken = {*others.values()}
    free = next(n for n in range(3, 4 + len(taken) + 1) if n != IGNORED and n not in taken)
    return others.setdefault(category, free)
