"""Label Studio: a task for each annotated frame, with brush masks.

Label Studio has boxes only in videos, so that a video becomes images. The id of an object is that of its region
(``object-3``) and stands in its note too; the video and the frame are fields of the task.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import quoteattr

from ..masks import rle
from ..masks.brush_rle import encode_brush
from ..masks.rle import Rle
from .json_list import json_list
from .losses import Losses
from .options import WriteOptions
from .pictures import copy_picture
from .video_masks import VideoMasks

CONFIGURATION = """<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="brush" toName="image">
{labels}
  </BrushLabels>
</View>
"""


def write_label_studio(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``tasks.json`` and the labelling configuration that it needs, ``config.xml``.

    Raises:
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    labels: dict[str, None] = {}
    with json_list(out / "tasks.json") as tasks:
        for video in videos:
            losses.unsaid(video)
            losses.add("apart", video, count=int(not video.still))
            for frame, masks in video.masks.items():
                name = video.image(frame)
                kinds = {number: video.categories.get(number, options.category) for number in masks}
                labels |= dict.fromkeys(kinds.values())
                regions = [_region(number, code, kinds[number]) for number, code in masks.items()]
                data = {"image": f"images/{name}", "video": video.folder, "frame": frame}
                tasks.add({"data": data, "annotations": [{"result": regions}]})
                if options.pictures:
                    copy_picture(video, frame, out / "images" / name)
    lines = "\n".join(f"    <Label value={quoteattr(label)}/>" for label in labels)
    (out / "config.xml").write_text(CONFIGURATION.format(labels=lines), encoding="utf-8")


def _region(number: int, code: Rle, category: str) -> dict[str, object]:
    height, width = code["size"]
    return {
        "id": f"object-{number}",
        "type": "brushlabels",
        "from_name": "brush",
        "to_name": "image",
        "origin": "manual",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode_brush(rle.decode(code)), "brushlabels": [category]},
        "meta": {"text": [f"object {number}"]},
    }
