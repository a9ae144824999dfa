"""Predicted masks on disk, in the layouts that evaluation servers accept: written while tracking, read for scoring.

- ``merged``: ``<video>/<frame>.png``, a label map of all objects in the DAVIS palette: DAVIS, MOSE, LVOS, YouTube-VOS
  (whose server wants the folder of the videos to be named ``Annotations``);
- ``objects``: ``<video>/<object, three digits>/<frame>.png``, one mask a file: SA-V.

Files are named like the frames of the video.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from ..data.check import Fault, described
from ..data.records import AnnotatedVideo, Mask
from ..masks.label_png import read_label_png
from ..video.atomic import write_bytes
from ..video.mask_files import write_mask_file
from ..video.writer import merge_masks
from .scoring import FrameMasks

Layout = Literal["merged", "objects"]
_UNREADABLE = (ValueError, OSError)


class BadPredictions(ValueError):
    """Predictions that cannot be scored; all that is wrong with them is listed."""

    def __init__(self, faults: Collection[Fault]) -> None:
        """Take the faults."""
        self.faults = tuple(faults)
        lines = [f"- {one.file}: {one.fault}" for one in self.faults]
        count = "1 fault" if len(lines) == 1 else f"{len(lines)} faults"
        super().__init__("\n".join([f"the predictions cannot be scored, {count}:", *lines]))

    def __reduce__(self):  # an exception with arguments of its own must say how it travels between processes
        return BadPredictions, (self.faults,)


class LabelMasks(Mapping[int, Bool[np.ndarray, "h w"]]):
    """The masks of a label map, each made when it is asked for; a label that does not occur is no key."""

    def __init__(self, labels: UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]) -> None:
        self.labels = labels
        self._ids = _values(labels)

    def __getitem__(self, object_id: int) -> Bool[np.ndarray, "h w"]:
        if object_id not in self._ids:
            raise KeyError(object_id)
        return self.labels == object_id

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def frame_names(video: AnnotatedVideo) -> tuple[str, ...]:
    """Names of the files of each frame, without a suffix: those of its pictures, or five-digit numbers of a movie's."""
    files = [video.frames.file(index) for index in range(video.frame_count)]
    numbered = bool(files) and files[0] == video.frames.where
    return tuple(f"{index:05d}" if numbered else Path(file).stem for index, file in enumerate(files))


class PredictionWriter:
    """Writes the masks of videos while they are tracked; ``add`` fits ``on_frame`` of :mod:`masklet.evaluation.vos`.

    Call ``finish`` after each video: servers want a file for every frame, and evaluators of ``objects`` one for every
    object too. Each file is complete or not there.
    """

    def __init__(self, folder: str | os.PathLike[str], layout: Layout = "merged", every: int = 1) -> None:
        """Take the folder of the videos; nothing is made yet.

        Args:
            folder: It holds a folder for each video.
            layout: How the masks are stored.
            every: Write only frames whose number in the file name is a multiple; 5 for YouTube-VOS tracked in all
                frames.

        Raises:
            ValueError: ``every`` is below 1.
        """
        if every < 1:
            raise ValueError(f"got every={every}, expected at least 1")
        self._folder, self._layout, self._every = Path(folder), layout, every
        self._written: dict[str, set[tuple[int, int | None]]] = {}
        self._names: tuple[str, tuple[str, ...]] = "", ()

    def add(self, video: AnnotatedVideo, frame: int, masks: FrameMasks) -> None:
        """Write the masks of a frame; in a label map the lowest id wins where masks overlap.

        Maps with ids above 255 are 16-bit grey PNG, which the evaluators of DAVIS and its kin do not read.

        Raises:
            ValueError: A mask has another size than the video, or an id does not fit the layout.
            OSError: A file cannot be written.
        """
        name = self._frame_names(video)[frame]
        if not self._wanted(name):
            return
        written = self._written.setdefault(video.name, set())
        if self._layout == "merged":
            _write_labels(self._folder / video.name / f"{name}.png", masks, video.size)
            written.add((frame, None))
            return
        for object_id, mask in masks.items():
            path = self._folder / video.name / f"{object_id:03d}" / f"{name}.png"
            write_mask_file(path, merge_masks({1: mask}, video.size))
            written.add((frame, object_id))

    def finish(self, video: AnnotatedVideo, ids: Collection[int] = ()) -> None:
        """Write empty masks where none came.

        Args:
            video: The video that is done.
            ids: Its objects, for layout ``objects``; those that ever had a mask are known.

        Raises:
            OSError: A file cannot be written.
        """
        written = self._written.pop(video.name, set())
        parts: set[int | None] = {None} if self._layout == "merged" else {*ids, *(part for _, part in written)}
        empty = np.zeros(video.size, bool)
        for frame, name in enumerate(self._frame_names(video)):
            for part in parts if self._wanted(name) else ():
                if (frame, part) not in written:
                    self.add(video, frame, {} if part is None else {part: empty})
        self._written.pop(video.name, None)

    def _wanted(self, name: str) -> bool:
        if self._every > 1 and not name.isdecimal():
            raise ValueError(f"got every={self._every} for a frame named {name}, expected names that are numbers")
        return self._every == 1 or int(name) % self._every == 0

    def _frame_names(self, video: AnnotatedVideo) -> tuple[str, ...]:
        if self._names[0] != video.name:
            self._names = video.name, frame_names(video)
        return self._names[1]


def read_predictions(
    video: AnnotatedVideo, folder: Path, layout: Layout = "merged", one_object: bool = False
) -> Iterator[tuple[int, FrameMasks]]:
    """Yield the annotated frames of a video that have files, with their masks, in order.

    A file that cannot be read does not end this: its frame is passed over, and the error after the last one names all.

    Args:
        video: The video with its truth.
        folder: It holds a folder for each video.
        layout: How the masks are stored.
        one_object: All labels of a map are object 1.

    Raises:
        BadPredictions: Files are damaged, hold no labels, have another size, or hold several objects where one is
            expected.
    """
    faults: list[Fault] = []
    names = frame_names(video)
    where = folder / video.name
    things = object_folders(where) if layout == "objects" else {}
    for frame in video.annotated:
        paths: dict[int | None, Path] = {None: where} if layout == "merged" else {**things}
        files = {part: place / f"{names[frame]}.png" for part, place in paths.items()}
        labels: dict[int | None, np.ndarray] = {}
        for part, path in files.items():
            try:
                if path.is_file():
                    labels[part] = _checked(read_label_png(path), video, single=part is not None)
            except _UNREADABLE as error:
                faults.append(Fault(video.name, str(path), described(error).removeprefix(f"{path} ")))
        if None in labels:
            yield frame, LabelMasks((labels[None] > 0).astype(np.uint8) if one_object else labels[None])
        elif labels:
            yield frame, {part: one > 0 for part, one in labels.items() if part is not None}
    if faults:
        raise BadPredictions(faults)


def read_prediction(video: AnnotatedVideo, folder: Path, layout: Layout, frame: int, object_id: int) -> Mask | None:
    """One mask of one frame as it was written; None where there is no such file.

    Raises:
        ValueError: The file is damaged or holds no labels.
    """
    name = f"{frame_names(video)[frame]}.png"
    where = folder / video.name
    path = where / name if layout == "merged" else where / f"{object_id:03d}" / name
    if not path.is_file():
        return None
    labels = read_label_png(path)
    return labels == object_id if layout == "merged" else labels > 0


def object_folders(where: Path) -> dict[int, Path]:
    """Folders of the objects of a video by object id, in order."""
    found = [entry for entry in where.iterdir() if entry.is_dir() and entry.name.isdecimal()]
    return {int(entry.name): entry for entry in sorted(found, key=lambda entry: int(entry.name))}


def _checked(labels: np.ndarray, video: AnnotatedVideo, single: bool) -> np.ndarray:
    if labels.shape != video.size:
        raise ValueError(f"it has {_pixels(labels.shape)}, the video has {_pixels(video.size)}")
    if single:
        values = _values(labels)
        if len(values) > 1:
            raise ValueError(
                f"it has {len(values)} values besides 0 ({', '.join(map(str, values[:5]))}), expected one: a file of "
                "this layout holds one object; for label maps the layout is merged, soft masks must be thresholded"
            )
    return labels


def _values(labels: np.ndarray) -> tuple[int, ...]:
    """Values besides 0 that occur."""
    count = np.iinfo(labels.dtype).max + 1
    histogram = cv2.calcHist([labels], [0], None, [count], [0, count])
    return tuple(int(one) for one in np.flatnonzero(histogram) if one)


def _write_labels(path: Path, masks: FrameMasks, size: tuple[int, int]) -> None:
    if max(masks, default=0) <= 255:
        write_mask_file(path, merge_masks(masks, size))
        return
    if max(masks) > 65535:
        raise ValueError(f"object id {max(masks)} does not fit a label PNG: renumber, or take the layout objects")
    labels = np.zeros(size, np.uint16)
    for object_id in sorted(masks, reverse=True):
        labels[merge_masks({1: masks[object_id]}, size) > 0] = object_id
    write_bytes(path, cv2.imencode(".png", labels)[1].tobytes())


def _pixels(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} pixels"
