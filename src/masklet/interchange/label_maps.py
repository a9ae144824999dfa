"""DAVIS and YouTube-VOS: an indexed PNG a frame, in which a pixel belongs to one object."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..masks import rle
from ..video.atomic import make_folder
from ..video.mask_files import write_mask_file
from ..video.writer import check_indexed_id, merge_masks
from .json_list import compact
from .losses import Losses
from .options import WriteOptions
from .overlap import frames_apart
from .pictures import copy_pictures
from .video_masks import VideoMasks

RESOLUTION = "480p"
"""Folder of DAVIS that its tools read, whatever the size of the frames."""


def write_davis(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``Annotations/480p/<video>/<frame>.png`` and the list ``ImageSets/2017/val.txt``.

    Raises:
        ValueError: An id is not 1 to 255.
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    names = []
    for video in videos:
        losses.nameless(video)
        _write_maps(video, out / "Annotations" / RESOLUTION / video.flat, losses)
        if options.pictures:
            copy_pictures(video, out / "JPEGImages" / RESOLUTION / video.flat)
        names.append(video.flat)
    lists = make_folder(out / "ImageSets" / "2017")
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def write_youtube_vos(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``train/Annotations/<video>/<frame>.png`` and ``train/meta.json``; errors as for ``write_davis``."""
    meta = {}
    for video in videos:
        shown = _write_maps(video, out / "train" / "Annotations" / video.flat, losses)
        if options.pictures:
            copy_pictures(video, out / "train" / "JPEGImages" / video.flat)
        meta[video.flat] = {
            "objects": {
                str(number): {
                    "category": video.categories.get(number, options.category),
                    "frames": [video.stem(frame) for frame in frames],
                }
                for number, frames in sorted(shown.items())
            }
        }
    make_folder(out / "train")
    (out / "train" / "meta.json").write_text(compact({"videos": meta}), encoding="utf-8")


def _write_maps(video: VideoMasks, folder: Path, losses: Losses) -> dict[int, list[int]]:
    """Write the maps of the annotated frames; gives the frames in which each object is seen."""
    losses.unsaid(video)
    for number in video.objects:
        try:
            check_indexed_id(number)
        except ValueError as error:
            raise ValueError(f"{video.where}: {video.name}: {error} (--renumber)") from error
    make_folder(folder)
    shown: dict[int, list[int]] = {}
    for frame, masks in frames_apart(video, losses):
        labels = merge_masks({number: rle.decode(code) for number, code in masks.items()}, video.size)
        write_mask_file(folder / f"{video.stem(frame)}.png", labels)
        for number in masks:
            shown.setdefault(number, []).append(frame)
    return shown
