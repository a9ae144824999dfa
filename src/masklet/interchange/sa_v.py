"""SA-V: an annotation file a movie, or a folder of binary PNGs an object."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..data.frames import MovieFrames
from ..data.sa_v import STEP
from ..masks import rle
from ..video.annotation_json import SaVJsonWriter
from ..video.atomic import make_folder
from ..video.mask_files import write_mask_file
from .losses import Losses
from .options import WriteOptions
from .pictures import copy_pictures
from .video_masks import VideoMasks


def write_sa_v(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``<video>_manual.json``: run lengths of every fourth frame, and the movie beside it where it is asked for.

    Raises:
        ValueError: Pictures are asked for and the video is no movie.
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    for video in videos:
        losses.nameless(video)
        losses.unsaid(video)
        steps = range(0, video.count, STEP)
        losses.add("step", video, count=sum(frame % STEP != 0 for frame in video.masks))
        losses.add("not_annotated", video, count=sum(frame not in video.masks for frame in steps))
        name = video.flat
        writer = SaVJsonWriter(
            out / f"{name}_manual.json", video.size, video_id=name, frame_count=video.count, kind="manual"
        )
        with writer:
            for frame, masks in video.masks.items():
                writer.add(frame, {number: rle.decode(code) for number, code in masks.items()})
        if options.pictures:
            _copy_movie(video, out / f"{name}.mp4")


def write_sa_v_folders(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``Annotations_6fps/<video>/<object>/<frame>.png`` and the list ``sav_val.txt``, as val and test have them.

    An annotated frame has a PNG of every object, black where it is not visible, and none where nothing is known of it.

    Raises:
        ValueError: An id is negative.
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    names = []
    for video in videos:
        losses.nameless(video)
        if not video.objects:
            losses.shown_frames(video)
        folder = make_folder(out / "Annotations_6fps" / video.flat)
        for frame, masks in video.masks.items():
            for number in video.objects:
                if number < 0:
                    raise ValueError(
                        f"{video.where}: {video.name} has object {number}, expected ids from 0 (--renumber)"
                    )
                if number not in video.unknown.get(frame, ()):
                    shown = rle.decode(masks[number]) if number in masks else np.zeros(video.size, bool)
                    path = folder / f"{number:03d}" / f"{video.stem(frame)}.png"
                    write_mask_file(path, shown.astype(np.uint8))
        losses.unsaid(video)
        if options.pictures:
            copy_pictures(video, out / "JPEGImages_24fps" / video.flat)
        names.append(video.flat)
    (out / "sav_val.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _copy_movie(video: VideoMasks, target: Path) -> None:
    if not isinstance(video.frames, MovieFrames) or not video.frames.where.endswith(".mp4"):
        got = "unknown" if video.frames is None else video.frames.where
        raise ValueError(
            f"sa_v has .mp4 movies, the pictures of {video.name} are {got}: use sa_v_folders, or leave --pictures out"
        )
    shutil.copyfile(video.frames.where, target)
