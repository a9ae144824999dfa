"""COCO instances: one JSON file for many images, with run lengths or polygons."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from ..masks import rle
from ..masks.outlines import outline_pieces
from ..masks.rle import Rle
from .json_list import json_list
from .losses import Losses
from .options import CategoryNumbers, WriteOptions
from .pictures import copy_picture
from .video_masks import VideoMasks


def write_coco(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``annotations/instances.json``, an image for each annotated frame; ``track_id`` keeps an object's id.

    Raises:
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    categories, numbers, images = CategoryNumbers(), count(1), []
    with json_list(out / "annotations" / "instances.json", "annotations") as annotations:
        for video in videos:
            losses.unsaid(video)
            losses.add("apart", video, count=int(not video.still))
            height, width = video.size
            for frame, masks in video.masks.items():
                name = video.image(frame)
                image = {"id": len(images) + 1, "file_name": name, "height": height, "width": width}
                images.append(image if video.still else {**image, "video": video.folder, "frame": frame})
                for number, code in masks.items():
                    annotations.add(
                        {
                            "id": next(numbers),
                            "image_id": len(images),
                            "category_id": categories.of(video.categories.get(number, options.category)),
                            "track_id": number,
                            "iscrowd": 0,
                            "area": rle.area(code),
                            "bbox": rle.box(code),
                            "segmentation": _polygons(video, frame, number, code, losses) if options.polygons else code,
                        }
                    )
                if options.pictures:
                    copy_picture(video, frame, out / "images" / name)
        annotations.beside = {"images": images, "categories": categories.table}


def _polygons(video: VideoMasks, frame: int, number: int, code: Rle, losses: Losses) -> list[list[float]]:
    polygons, pierced = outline_pieces(rle.decode(code))
    losses.add("bridge", video, f"frame {frame}, object {number}", int(pierced > 0))
    return polygons
