"""CVAT XML 1.1, for images and for video: polygons and masks.

Boxes, ellipses, lines and points are left out: they do not say which pixels belong to an object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from xml.etree import ElementTree

import numpy as np

from ..masks.polygons import fill_polygons
from .frames import MOVIES, PICTURES, MovieFrames, PictureFrames, folder_frames, single_frame, stated_frames
from .paths import BrokenAnnotations, DataPath, files_in, folders_in
from .records import AnnotatedVideo, Frames, Mask, VideoDataset
from .truths import Draw, ObjectMasks

Shape = tuple[str, Mapping[str, str]]
"""Kind (``polygon`` or ``mask``) and attributes of an outlined thing."""
_OUTLINES = ("polygon", "mask")


def open_cvat(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open an export of a CVAT task.

    Of an export for images, every shape is an object, numbered from 1. An export for video is one video, whose objects
    are its tracks with their ids; tracks of masks of one group that never meet in a frame are one object with the
    number of the group, because CVAT writes every mask as a track of its own. In a frame that a track passes over
    between its shapes, its object is unknown.

    Args:
        root: The XML file, a folder that holds ``annotations.xml``, or one of folders that do, a video each. Images are
            looked for in ``images``, ``images/<subset>`` and beside the file; frames of a video there too, or in a
            movie beside the file. Pictures need not be there until they are shown where the file states their size.
        split: A subset of images; by default all.

    Raises:
        FileNotFoundError: There is no such file, no image of the split, or there are no frames.
        BrokenAnnotations: The file cannot be understood.
    """
    several = [] if root.suffix.lower() == ".xml" else inner_tasks(root)
    if several:
        tasks = tuple(open_cvat(one, split) for one in several)
        entries = tuple((task, place) for task in tasks for place in range(len(task)))
        names = tuple(name for task in tasks for name in task.names)
        return VideoDataset("cvat", str(root), names, tasks[0].stills, partial(_entry, entries))
    file = root if root.suffix.lower() == ".xml" else annotation_file(root)
    try:
        tree = ElementTree.fromstring(file.read_bytes())
    except ElementTree.ParseError as error:
        raise BrokenAnnotations(file, f"it cannot be parsed as XML ({error})") from error
    if tree.tag != "annotations":
        raise BrokenAnnotations(file, f"expected CVAT's element <annotations>, got <{tree.tag}>")
    if tree.find("track") is not None:
        return _video(root, file, tree)
    images = [_image_of(one, file) for one in tree.findall("image") if split in (None, one.get("subset"))]
    if not images:
        subsets = sorted({one.get("subset", "") for one in tree.findall("image")})
        got = f"images of the subsets {', '.join(subsets)}" if subsets else "neither images nor tracks"
        raise BrokenAnnotations(file, f"expected images of {split or 'any subset'} or tracks, got {got}")
    names = tuple(one.name for one in images)
    return VideoDataset("cvat", str(root), names, True, partial(_still, file, tuple(images)))


def inner_tasks(root: DataPath) -> list[DataPath]:
    """Folders in a folder that hold an export each, where it holds none itself."""
    if (root / "annotations.xml").is_file():
        return []
    return [one for one in folders_in(root) if (one / "annotations.xml").is_file()]


def _entry(entries: tuple[tuple[VideoDataset, int], ...], index: int) -> AnnotatedVideo:
    task, place = entries[index]
    return task[place]


def annotation_file(root: DataPath) -> DataPath:
    """The XML file of a folder.

    Raises:
        FileNotFoundError: There is none, or there are several and none is ``annotations.xml``.
    """
    files = files_in(root, {".xml"})
    named = [one for one in files if one.name == "annotations.xml"] or files
    if len(named) != 1:
        raise FileNotFoundError(f"expected annotations.xml in {root}, found {[one.name for one in files] or 'none'}")
    return named[0]


@dataclass(frozen=True)
class _Image:
    """What the file says of an image."""

    name: str
    subset: str
    size: tuple[int, int]
    shapes: tuple[Shape, ...]


def _image_of(element: ElementTree.Element, file: DataPath) -> _Image:
    try:
        size = int(element.attrib["height"]), int(element.attrib["width"])
        name = element.attrib["name"]
    except (KeyError, ValueError) as error:
        raise BrokenAnnotations(file, f"an image lacks its name, width or height ({error!r})") from error
    shapes = tuple((one.tag, dict(one.attrib)) for one in element if one.tag in _OUTLINES)
    return _Image(name, element.get("subset", ""), size, shapes)


def _still(file: DataPath, images: tuple[_Image, ...], index: int) -> AnnotatedVideo:
    image = images[index]
    base = file.parent
    folders = [base / "images" / image.subset, base / "images", base] if image.subset else [base / "images", base]
    places = [folder / image.name for folder in folders]
    path = next((place for place in places if place.is_file()), places[0])
    known = {n: shape[1]["label"] for n, shape in enumerate(image.shapes, start=1) if "label" in shape[1]}
    truth = ObjectMasks(file, partial(_masks_of, image))
    return AnnotatedVideo(image.name, single_frame(path, image.size), truth, lambda: known)


def _masks_of(image: _Image) -> dict[int, dict[int, Draw]]:
    return {0: {number: partial(_draw, shape, image.size) for number, shape in enumerate(image.shapes, start=1)}}


def _video(root: DataPath, file: DataPath, tree: ElementTree.Element) -> VideoDataset:
    tasks = {one.get("task_id") for one in tree.findall("track")}
    if len(tasks) > 1:
        raise BrokenAnnotations(file, f"it holds the tracks of {len(tasks)} tasks: export each task by itself")
    tracks: list[_Track] = []
    try:
        for track in tree.findall("track"):
            shapes = {
                int(one.attrib["frame"]): None if one.get("outside") == "1" else (one.tag, dict(one.attrib))
                for one in track
                if one.tag in _OUTLINES
            }
            if shapes:
                number, group = int(track.attrib["id"]), int(track.get("group_id", "0"))
                tracks.append(_Track(number, group, track.get("label"), dict(sorted(shapes.items()))))
        stated = next(tree.iter("original_size"), None)
        size = None
        if stated is not None:
            size = int(stated.findtext("height", "")), int(stated.findtext("width", ""))
        count = int(tree.findtext("meta/task/size") or 0)
    except (KeyError, ValueError) as error:
        raise BrokenAnnotations(file, f"a track, a shape or the original size is damaged ({error!r})") from error
    frames = _frames(file.parent, size, count)
    name = tree.findtext("meta/task/name") or file.parent.name
    read = partial(_tracked, name, frames, file, _united(tracks), size)
    return VideoDataset("cvat", str(root), (name,), False, read)


@dataclass(frozen=True)
class _Track:
    """A track: its shapes by frame, None where its object is outside."""

    number: int
    group: int
    label: str | None
    shapes: Mapping[int, Shape | None]


def _united(tracks: list[_Track]) -> list[_Track]:
    """Tracks of masks of the same group as one, unless two would meet or its number is that of another track."""
    groups: dict[int, list[_Track]] = {}
    alone: list[_Track] = []
    for track in tracks:
        masks = all(shape is None or shape[0] == "mask" for shape in track.shapes.values())
        (groups.setdefault(track.group, []) if track.group and masks else alone).append(track)
    shown = {group: [t for one in found for t, s in one.shapes.items() if s] for group, found in groups.items()}
    meet = any(len({*frames}) < len(frames) for frames in shown.values())
    if meet or groups.keys() & {track.number for track in alone}:
        return tracks
    for group, found in groups.items():
        shapes: dict[int, Shape | None] = {}
        for one in found:
            shapes |= {t: shape for t, shape in one.shapes.items() if shape is not None or t not in shapes}
        alone.append(_Track(group, group, found[0].label, dict(sorted(shapes.items()))))
    return alone


def _frames(folder: DataPath, size: tuple[int, int] | None, count: int) -> Callable[[], Frames]:
    """What opens the images or the movie of a video; where there are none, frames of the size that the file states."""
    inner = folders_in(folder / "images")
    for place in (folder / "images", *inner, folder):
        if files_in(place, PICTURES):
            return partial(folder_frames, place)
    movies = files_in(folder, MOVIES)
    if not movies and size is not None and count:
        return partial(stated_frames, folder / "images", count, size)
    if len(movies) != 1:
        raise FileNotFoundError(
            f"expected frames in {folder / 'images'} or one movie in {folder}, found {len(movies)} movies"
        )
    return partial(MovieFrames, movies[0])


def _tracked(
    name: str,
    opening: Callable[[], Frames],
    file: DataPath,
    tracks: list[_Track],
    size: tuple[int, int] | None,
    index: int,
) -> AnnotatedVideo:
    frames = opening()
    listed = sorted({number for track in tracks for number in track.shapes})
    known = {track.number: track.label for track in tracks if track.label is not None}

    def find() -> dict[int, dict[int, Draw]]:
        full = size or frames.size()
        return {
            place: {
                track.number: partial(_draw, shape, full)
                for track in tracks
                if (shape := track.shapes.get(number)) is not None
            }
            for number, place in _places(frames, listed).items()
        }

    def unknown() -> dict[int, frozenset[int]]:
        return {
            place: frozenset(track.number for track in tracks if _open_at(track.shapes, number))
            for number, place in _places(frames, listed).items()
        }

    return AnnotatedVideo(name, frames, ObjectMasks(file, find, unknown), lambda: known)


def _places(frames: Frames, listed: list[int]) -> dict[int, int]:
    """Which frame the file means by a number: the image that CVAT names after it, else the frame in that place.

    The two differ for tasks of every n-th frame.
    """
    numbers = frames.numbers if isinstance(frames, PictureFrames) else {}
    named = {number: numbers[f"frame_{number:06d}"] for number in listed if f"frame_{number:06d}" in numbers}
    return named if len(named) == len(listed) else {number: number for number in listed}


def _open_at(shapes: Mapping[int, Shape | None], number: int) -> bool:
    """Whether a track says nothing of a frame after it has shown its object."""
    if number in shapes:
        return False
    before = [shape for frame, shape in shapes.items() if frame < number]
    return bool(before) and before[-1] is not None


def _draw(shape: Shape, size: tuple[int, int]) -> Mask:
    kind, attributes = shape
    try:
        if kind == "polygon":
            corners = [float(one) for point in attributes["points"].split(";") for one in point.split(",")]
            return fill_polygons([corners], size)
        counts = [int(one) for one in attributes["rle"].split(",")]
        left, top, width, height = (int(float(attributes[key])) for key in ("left", "top", "width", "height"))
        return _unpack(counts, left, top, width, height, size)
    except KeyError as error:
        raise ValueError(f"a {kind} lacks its attribute {error}") from error


def _unpack(counts: list[int], left: int, top: int, width: int, height: int, size: tuple[int, int]) -> Mask:
    """A mask from run lengths inside its box: background first, row by row."""
    if min(counts) < 0 or sum(counts) != width * height:
        got = f"the runs of a mask cover {sum(counts)} pixels"
        raise ValueError(f"{got}, its box {width}x{height} has {width * height}: the annotation is damaged")
    if left < 0 or top < 0 or left + width > size[1] or top + height > size[0]:
        got = f"the box of a mask at {left},{top} of {width}x{height} pixels"
        raise ValueError(f"{got} is not inside the image of {size[1]}x{size[0]}: it belongs to another size")
    mask = np.zeros(size, dtype=bool)
    runs = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    mask[top : top + height, left : left + width] = runs.reshape(height, width)
    return mask
