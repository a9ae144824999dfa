"""What ``masklet track`` writes: a folder of label maps, one of binary masks an object, or one JSON file.

Frames have the numbers in the names of the files. Their pictures lie elsewhere.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ..video.image_header import image_size
from .frames import stated_frames
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, read_json
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, LabelMaps, ObjectMasks, from_png, from_rle

_HEADER = 64


def open_track_results(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open one video.

    Args:
        root: ``masks`` (``<frame>.png``), ``objects`` (``<object>/<frame>.png``) or ``masks.coco.json``.
        split: Not used: there are no splits.

    Raises:
        FileNotFoundError: The folder has no such files.
        BrokenAnnotations: A file is not named by a number, or the JSON file cannot be understood.
    """
    name = root.parent.name if root.name in ("masks", "objects", "masks.coco.json") else root.stem
    return VideoDataset("track_results", str(root), (name,), False, partial(_video, root, name))


def is_track_results(root: DataPath) -> bool:
    """Whether a folder holds PNG files named by numbers, itself or in folders named by numbers, and nothing else."""
    inner = folders_in(root)
    files = files_in(inner[0] if inner else root, {".png"})
    return bool(files) and all(one.stem.isdecimal() for one in files) and all(one.name.isdecimal() for one in inner)


def _video(root: DataPath, name: str, index: int) -> AnnotatedVideo:
    if root.suffix.lower() == ".json":
        return _coded(root, name)
    inner = folders_in(root)
    maps = {folder: _numbered(folder) for folder in inner or [root]}
    first = next((path for files in maps.values() for path in files.values()), None)
    if first is None:
        raise FileNotFoundError(f"expected masks (00000.png ...) in {root}, found none")
    with first.open("rb") as opened:
        size = image_size(opened.read(_HEADER))
    if size is None:
        raise BrokenAnnotations(first, "it is no PNG file")
    count = 1 + max(number for files in maps.values() for number in files)
    frames = stated_frames(root, count, size)
    if not inner:
        return AnnotatedVideo(name, frames, LabelMaps(root, partial(dict, maps[root])))
    found: dict[int, dict[int, Draw]] = {}
    for folder, files in maps.items():
        if not folder.name.isdecimal():
            raise BrokenAnnotations(folder, "expected folders named by object numbers")
        for number, path in files.items():
            found.setdefault(number, {})[int(folder.name)] = from_png(path)
    return AnnotatedVideo(name, frames, ObjectMasks(root, partial(dict, found)))


def _numbered(folder: DataPath) -> dict[int, DataPath]:
    files = files_in(folder, {".png"})
    wrong = next((path for path in files if not path.stem.isdecimal()), None)
    if wrong is not None:
        raise BrokenAnnotations(wrong, "expected masks named by frame numbers (00000.png)")
    return {int(path.stem): path for path in files}


def _coded(file: DataPath, name: str) -> AnnotatedVideo:
    content = read_json(file)
    try:
        height, width = map(int, content["size"])
        found: dict[int, dict[int, Any]] = {
            int(one["frame"]): {int(number): code for number, code in one["objects"].items()}
            for one in content["frames"]
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BrokenAnnotations(
            file, f"expected size and frames as masklet track writes them, got {error!r}"
        ) from error
    drawn = {frame: {number: from_rle(code) for number, code in codes.items()} for frame, codes in found.items()}
    frames = stated_frames(file.parent, 1 + max(found, default=-1), (height, width))
    return AnnotatedVideo(name, frames, ObjectMasks(file, lambda: drawn))
