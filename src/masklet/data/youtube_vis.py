"""YouTube-VIS (and OVIS): one JSON file with a list of run lengths for each object, one a frame of its video."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

from .coco import annotation_files
from .frames import PictureFrames
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, read_json
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, ObjectMasks, distinct, from_polygons, from_rle

_START = 1 << 16
_FIELDS = "videos, categories and annotations as YouTube-VIS has them"


@dataclass(frozen=True)
class _Video:
    """What the file says of a video: names of its frames, its size, and number, category and masks of each object."""

    name: str
    files: tuple[str, ...]
    size: tuple[int, int]
    objects: tuple[tuple[int, str | None, tuple[Any, ...]], ...]


def open_youtube_vis(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open instances in the format of YouTube-VIS; crowds are left out, null means that the object is not visible.

    Objects have the ids of their annotations (``object_id`` where the file has that). Frames are looked for in
    ``JPEGImages`` and beside it, and need not be there until they are shown.

    Args:
        root: The JSON file, or a folder that holds it, also in ``annotations`` or in the folder of the split.
        split: Part of the file's name, or name of its folder; needed where there are several files.

    Raises:
        FileNotFoundError: There is no such file.
        BrokenAnnotations: It cannot be understood; the message names the video and the object.
        ValueError: There are several and none is chosen.
    """
    file = root if root.suffix.lower() == ".json" else _file(root, split)
    content = read_json(file)
    try:
        categories = {one["id"]: str(one["name"]) for one in content["categories"]}
        listed: dict[Any, list[Any]] = defaultdict(list)
        for one in content["annotations"] or ():  # null in the files of held-out splits
            if not one.get("iscrowd"):
                number = int(one.get("object_id", one["id"]))
                listed[one["video_id"]].append((number, categories.get(one["category_id"]), one["segmentations"]))
        videos = tuple(_video(file, one, listed.pop(one["id"], [])) for one in content["videos"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BrokenAnnotations):
            raise
        raise BrokenAnnotations(file, f"expected {_FIELDS}, got {error!r}") from error
    if listed:
        raise BrokenAnnotations(file, f"it has annotations of the video {next(iter(listed))!r}, which it lacks")
    return VideoDataset("youtube_vis", str(root), tuple(one.name for one in videos), False, partial(_nth, file, videos))


def is_youtube_vis(file: DataPath) -> bool:
    """Whether a JSON file looks like one of YouTube-VIS, by its start."""
    with file.open("rb") as opened:
        start = opened.read(_START)
    return b'"segmentations"' in start or b'"file_names"' in start


def vis_files(root: DataPath) -> list[DataPath]:
    """Files of this format below a folder."""
    named = {str(path): path for path in (*annotation_files(root), *files_in(root, {".json"}))}
    return [path for path in named.values() if is_youtube_vis(path)]


def _file(root: DataPath, split: str | None) -> DataPath:
    there = vis_files(root)
    wanted = [one for one in there if split is None or split in one.stem or split == one.parent.name]
    names = ", ".join(one.name for one in there) or "none"
    if not wanted:
        raise FileNotFoundError(f"expected a JSON file of YouTube-VIS {split or ''} in {root}, found {names}")
    if len(wanted) > 1:
        raise ValueError(f"{root} has several annotation files ({names}): say which with split (--split)")
    return wanted[0]


def _video(file: DataPath, stated: Any, objects: list[Any]) -> _Video:
    files = tuple(map(str, stated["file_names"]))
    name = files[0].rpartition("/")[0] if files and "/" in files[0] else str(stated.get("name", stated["id"]))
    for number, _, masks in objects:
        if len(masks) != len(files):
            raise BrokenAnnotations(
                file, f"object {number} of the video {name} has {len(masks)} masks, its video has {len(files)} frames"
            )
    found = tuple((number, category, tuple(masks)) for number, category, masks in objects)
    return _Video(name, files, (int(stated["height"]), int(stated["width"])), found)


def _nth(file: DataPath, videos: tuple[_Video, ...], index: int) -> AnnotatedVideo:
    video = videos[index]
    frames = PictureFrames(file, partial(_pictures, file, video.files), video.size)
    known = {number: category for number, category, _ in video.objects if category is not None}
    return AnnotatedVideo(video.name, frames, ObjectMasks(file, partial(_masks, file, video)), lambda: known)


def _pictures(file: DataPath, names: tuple[str, ...]) -> list[DataPath]:
    """Files of the frames in the first folder that holds the first of them."""
    base = file.parent
    above = [base, base.parent] if base.name == "annotations" else [base]
    folders = [folder for one in above for folder in (one, *folders_in(one))]
    places = [place for folder in folders for place in (folder / "JPEGImages", folder)]
    found = next((place for place in places if names and (place / names[0]).is_file()), places[0])
    return [found / name for name in names]


def _masks(file: DataPath, video: _Video) -> dict[int, dict[int, Draw]]:
    return {
        index: distinct(
            [
                (number, from_polygons(code, video.size) if isinstance(code, list) else from_rle(code))
                for number, _, codes in video.objects
                if (code := codes[index]) is not None
            ],
            file,
        )
        for index in range(len(video.files))
    }
