"""YouTube-VIS: one JSON file of run lengths, a list a masklet."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from ..masks import rle
from .json_list import json_list
from .losses import Losses
from .options import CategoryNumbers, WriteOptions
from .pictures import copy_pictures
from .video_masks import VideoMasks


def write_youtube_vis(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``instances.json``; annotations are numbered through, and ``object_id`` keeps the id in the video.

    Raises:
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    categories, numbers, listed = CategoryNumbers(), count(1), []
    with json_list(out / "instances.json", "annotations") as annotations:
        for place, video in enumerate(videos, start=1):
            losses.unsaid(video)
            losses.all_frames(video)
            height, width = video.size
            shape = {"width": width, "height": height, "length": video.count}
            files = [f"{video.folder}/{name}" for name in video.files]
            listed.append({"id": place, "name": video.folder, **shape, "file_names": files})
            for number in video.objects:
                codes = [video.masks.get(frame, {}).get(number) for frame in range(video.count)]
                annotations.add(
                    {
                        "id": next(numbers),
                        "video_id": place,
                        "object_id": number,
                        "category_id": categories.of(video.categories.get(number, options.category)),
                        "iscrowd": 0,
                        **shape,
                        "segmentations": codes,
                        "bboxes": [code and rle.box(code) for code in codes],
                        "areas": [code and rle.area(code) for code in codes],
                    }
                )
            if options.pictures:
                copy_pictures(video, out / "JPEGImages" / video.folder)
        annotations.beside = {"videos": listed, "categories": categories.table}
