"""YOLO segmentation: images and, beside each, a text file of a polygon an object."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..masks import rle
from ..masks.outlines import join_polygons, outline_pieces
from ..masks.rle import Rle
from ..video.atomic import make_folder
from .json_list import compact
from .losses import Losses
from .options import CategoryNumbers, WriteOptions
from .pictures import copy_picture
from .video_masks import VideoMasks


def write_yolo_seg(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``labels/train/<video>_<frame>.txt`` for each annotated frame and ``data.yaml``.

    Raises:
        LossError: Something would be lost, which ``losses`` refuse.
        ValueError: Two images would have the same name.
        OSError: A file cannot be written.
    """
    categories, labels = CategoryNumbers(first=0), make_folder(out / "labels" / "train")
    make_folder(out / "images" / "train")
    for video in videos:
        losses.unsaid(video)
        losses.add("number", video, count=len(video.objects))
        losses.add("apart", video, count=int(not video.still))
        for frame, masks in video.masks.items():
            image = PurePosixPath(video.image(frame).replace("/", "_"))
            text = labels / f"{image.stem}.txt"
            if text.exists():
                raise ValueError(f"{video.where}: two images would be called {image.stem}: rename one")
            kinds = {number: categories.of(video.categories.get(number, options.category)) for number in masks}
            lines = [
                " ".join([str(kinds[number]), *_corners(video, frame, number, code, losses)])
                for number, code in masks.items()
            ]
            text.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
            if options.pictures:
                copy_picture(video, frame, out / "images" / "train" / image.name)
    # JSON is YAML: names with colons or quotes are safe.
    settings = {"path": ".", "train": "images/train", "val": "images/train"}
    names = {number: name for name, number in categories.numbers.items()}
    text = "".join(f"{key}: {value}\n" for key, value in settings.items()) + "names:\n"
    text += "".join(f"  {number}: {compact(name)}\n" for number, name in names.items())
    (out / "data.yaml").write_text(text, encoding="utf-8")


def _corners(video: VideoMasks, frame: int, number: int, code: Rle, losses: Losses) -> list[str]:
    """Corners as parts of the width and the height, exact to a billionth."""
    height, width = video.size
    polygons, pierced = outline_pieces(rle.decode(code))
    losses.add("bridge", video, f"frame {frame}, object {number}", int(pierced > 0 or len(polygons) > 1))
    corners = join_polygons(polygons)
    return [f"{value / (height if place % 2 else width):.9g}" for place, value in enumerate(corners)]
