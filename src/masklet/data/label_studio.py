"""Label Studio's JSON of image tasks: masks of the brush (run lengths) and polygons.

Label Studio has no masks of videos, only boxes; a task is one image. Boxes, ellipses and key points are left out: they
do not say which pixels belong to an object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from ..masks.brush_rle import decode_brush
from .frames import single_frame
from .paths import BrokenAnnotations, DataPath, files_in, read_json
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, ObjectMasks, distinct, from_polygons

_KINDS = ("brushlabels", "brush", "polygonlabels", "polygon")
_NUMBERED = re.compile(r"^object[-_ ]?(\d+)$")
_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts one before the names of uploads


@dataclass(frozen=True)
class _Region:
    """What is painted or outlined: number of the object, its category, size of the image, and the drawn value."""

    number: int
    category: str | None
    size: tuple[int, int]
    value: Any


@dataclass(frozen=True)
class _Task:
    """An image and its regions; None: nobody has annotated it."""

    image: str
    regions: tuple[_Region, ...] | None


def open_label_studio(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open an export of image tasks ("JSON"); of a task with several annotations the first that was not cancelled.

    Regions are numbered from 1, or as their ids say (``object-3``). Where a task has predictions only, these
    are taken. Images are looked for by name beside the file and in ``images``; they need not be there until they are
    shown, but the size of an image without regions is read from it.

    Args:
        root: The JSON file, or a folder with one that is a list of tasks.
        split: Not used: there are no splits.

    Raises:
        FileNotFoundError: There is no such file.
        BrokenAnnotations: It cannot be understood; the message names the task.
    """
    file = root if root.suffix.lower() == ".json" else task_file(root)
    if file is None:
        raise FileNotFoundError(f"expected a JSON file with a list of tasks in {root}, found none")
    content = read_json(file)
    if not isinstance(content, list):
        raise BrokenAnnotations(file, "expected a list of tasks (Label Studio's export JSON, not JSON-MIN)")
    tasks = []
    for place, one in enumerate(content):
        try:
            tasks.append(_task(one))
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise BrokenAnnotations(file, f"task {place} is not as Label Studio writes it ({error!r})") from error
    names = tuple(task.image for task in tasks)
    return VideoDataset("label_studio", str(root), names, True, partial(_still, file, tuple(tasks)))


def task_file(root: DataPath) -> DataPath | None:
    """The JSON file of a folder that is a list of tasks."""
    return next((path for path in files_in(root, {".json"}) if is_task_list(path)), None)


def is_task_list(file: DataPath) -> bool:
    """Whether a JSON file is a list."""
    with file.open("rb") as opened:
        return opened.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _task(one: Any) -> _Task:
    image = _image_name(one)
    done = [each for each in one.get("annotations", ()) if not each.get("was_cancelled")]
    chosen = (done or one.get("predictions") or [None])[0]
    if chosen is None:
        return _Task(image, None)
    drawn = [region for region in chosen["result"] if region.get("type") in _KINDS]
    given = [_NUMBERED.match(str(region.get("id", ""))) for region in drawn]
    numbered = all(given)
    return _Task(
        image,
        tuple(
            _Region(
                int(match[1]) if numbered and match else place,
                next(iter(region["value"].get(region["type"]) or ()), None),
                (int(region["original_height"]), int(region["original_width"])),
                region["value"],
            )
            for place, (region, match) in enumerate(zip(drawn, given, strict=True), start=1)
        ),
    )


def _image_name(one: Any) -> str:
    """Path of the image in the task's data, without the address that it is served under."""
    data = one["data"]
    text = str(data.get("image") or next(value for value in data.values() if isinstance(value, str)))
    path = text.partition("?d=")[2] or text.partition("?")[0]
    path = path.partition("://")[2].partition("/")[2] if "://" in path else path
    return path.lstrip("/")


def _still(file: DataPath, tasks: tuple[_Task, ...], index: int) -> AnnotatedVideo:
    task = tasks[index]
    size = task.regions[0].size if task.regions else None
    known = {one.number: one.category for one in task.regions or () if one.category is not None}
    frames = single_frame(_place(file, task.image), size)
    return AnnotatedVideo(task.image, frames, ObjectMasks(file, partial(_masks, file, task)), lambda: known)


def _place(file: DataPath, image: str) -> DataPath:
    name = PurePosixPath(image).name
    folders = [file.parent, file.parent / "images"]
    places = [folder / one for folder in folders for one in (image, name, _PREFIX.sub("", name))]
    return next((place for place in places if place.is_file()), places[0])


def _masks(file: DataPath, task: _Task) -> dict[int, dict[int, Draw]]:
    if task.regions is None:
        return {}
    return {0: distinct([(one.number, _draw(one)) for one in task.regions], file)}


def _draw(region: _Region) -> Draw:
    value, (height, width) = region.value, region.size
    if "points" in value:
        corners = [float(at) * side / 100 for x, y in value["points"] for at, side in ((x, width), (y, height))]
        return from_polygons([corners], region.size)
    return partial(decode_brush, value["rle"], region.size)
