"""MOTS (KITTI MOTS, MOTSChallenge): a text file a video, a line for each mask of a frame.

A line is ``frame id class height width counts``, counts being compressed run lengths of COCO. Regions of class 10 are
to be ignored and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from .frames import PICTURES, PictureFrames, stated_frames
from .paths import BrokenAnnotations, DataPath, files_in, read_lines
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, ObjectMasks, distinct, from_rle

CLASSES = {1: "car", 2: "pedestrian"}
IGNORED = 10
_FIELDS = 6
_FOLDERS = ("instances_txt", "gt", "instances")
_IMAGES = ("image_02", "training/image_02", "images")


@dataclass(frozen=True)
class _Line:
    """One mask: its frame, object, class, size (height and width) and run lengths."""

    frame: int
    number: int
    kind: int
    size: tuple[int, int]
    counts: str


def open_mots(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open masks in the text format of MOTS.

    Every frame is annotated. Images are looked for in ``image_02/<video>``, ``images/<video>`` and ``<video>/img1`` and
    belong to the frame of the number in their names; without them a video ends with the last frame that has a mask.

    Args:
        root: One text file, or a folder that holds them, also in ``instances_txt``.
        split: Inner folder that holds all this.

    Raises:
        FileNotFoundError: There are no such files.
    """
    folder = root if split is None else root / split
    files = [root] if root.suffix == ".txt" else mots_files(folder)
    if not files:
        raise FileNotFoundError(f"expected text files of MOTS in {folder} or {folder / _FOLDERS[0]}, found none")
    return VideoDataset("mots", str(root), tuple(one.stem for one in files), False, partial(_video, tuple(files)))


def mots_files(root: DataPath) -> list[DataPath]:
    """Text files of a folder that hold masks, judged by the first of them that is not empty."""
    for folder in (root / _FOLDERS[0], root, *(root / name for name in _FOLDERS[1:])):
        files = files_in(folder, {".txt"})
        first = next((lines[0] for lines in map(read_lines, files) if lines), None)
        if files and (folder.name == _FOLDERS[0] if first is None else len(first.split()) == _FIELDS):
            return files
    return []


def _video(files: tuple[DataPath, ...], index: int) -> AnnotatedVideo:
    file = files[index]
    lines = [_parsed(file, number, text) for number, text in enumerate(read_lines(file), start=1)]
    sizes = {line.size for line in lines}
    if len(sizes) > 1:
        raise BrokenAnnotations(file, f"its masks have different sizes (height, width): {sorted(sizes)[:5]}")
    frames = _frames(file, lines)
    known = {line.number: CLASSES.get(line.kind, str(line.kind)) for line in lines if line.kind != IGNORED}
    return AnnotatedVideo(file.stem, frames, ObjectMasks(file, partial(_masks, file, frames, lines)), lambda: known)


def _parsed(file: DataPath, place: int, text: str) -> _Line:
    words = text.split()
    try:
        frame, number, kind, height, width = map(int, words[:5])
        (counts,) = words[5:]
    except ValueError as error:
        raise BrokenAnnotations(
            file, f"line {place} is {text!r:.60}, expected frame, id, class, height, width and run lengths"
        ) from error
    if frame < 0 or height < 1 or width < 1:
        raise BrokenAnnotations(file, f"line {place} has frame {frame} and {width}x{height} pixels: they are too small")
    return _Line(frame, number, kind, (height, width), counts)


def _frames(file: DataPath, lines: list[_Line]) -> PictureFrames:
    base = file.parent.parent if file.parent.name in _FOLDERS else file.parent
    places = [base / inner / file.stem for inner in _IMAGES] + [base / file.stem / "img1"]
    folder = next((place for place in places if files_in(place, PICTURES)), None)
    size = lines[0].size if lines else None
    if folder is None and size is not None:
        return stated_frames(places[0], 1 + max(line.frame for line in lines), size)
    images = places[0] if folder is None else folder
    return PictureFrames(images, lambda: files_in(images, PICTURES), size)


def _places(file: DataPath, frames: PictureFrames) -> Mapping[int, int]:
    """Place of each frame by its number: the one in the name of its image."""
    if all(stem.isdecimal() for stem in frames.numbers):
        return {int(stem): place for stem, place in frames.numbers.items()}
    return {place: place for place in range(frames.count())}


def _masks(file: DataPath, frames: PictureFrames, lines: list[_Line]) -> dict[int, dict[int, Draw]]:
    places = _places(file, frames)
    listed: dict[int, list[tuple[int, Draw]]] = {place: [] for place in range(frames.count())}
    for line in lines:
        if line.kind == IGNORED:
            continue
        if line.frame not in places:
            raise BrokenAnnotations(
                file, f"object {line.number} has a mask in frame {line.frame}, which is not in {frames.where}"
            )
        code = {"size": list(line.size), "counts": line.counts}
        listed[places[line.frame]].append((line.number, from_rle(code)))
    return {place: distinct(found, file) for place, found in listed.items()}
