"""Videos as a folder of images and a folder of label maps: the shape that DAVIS, MOSE, LVOS and YouTube-VOS share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from .frames import PictureFrames, folder_frames
from .paths import DataPath, entries, folders_in
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, LabelMaps, from_png


@dataclass(frozen=True)
class PaletteFolders:
    """Two folders with a subfolder a video, and what holds for all videos.

    Attributes:
        images: ``<video>/<frame>.jpg``.
        masks: ``<video>/<frame>.png``, named like the frames.
        complete: Every frame has a map: one that is missing is an error when it is read.
        merged: All objects are taken as one.
        first_only: Maps show only objects that appear for the first time.
    """

    images: DataPath
    masks: DataPath
    complete: bool = False
    merged: bool = False
    first_only: bool = False

    def video(self, name: str, first: Mapping[int, str] | None = None) -> AnnotatedVideo:
        """A video by its name.

        Args:
            name: Name of its subfolders.
            first: Stem of the first frame of each object, where another file states it.
        """
        frames = folder_frames(self.images / name)
        truth = LabelMaps(
            self.masks / name,
            partial(maps_of, frames, self.masks / name, self.complete),
            merged=self.merged,
            first_only=self.first_only,
            first=None if first is None else partial(_numbers, frames, first),
        )
        return AnnotatedVideo(name, frames, truth)

    def dataset(self, format: str, root: DataPath, names: Sequence[str]) -> VideoDataset:
        """The videos of these names."""
        return VideoDataset(format, str(root), tuple(names), False, partial(_nth, self, tuple(names)))


def maps_of(frames: PictureFrames, folder: DataPath, complete: bool = False) -> dict[int, DataPath]:
    """Label maps of a folder by the number of the frame of the same name.

    Args:
        frames: The frames.
        folder: The maps; where it is missing there are none.
        complete: List a map for every frame, also where there is no such file.

    Raises:
        ValueError: A map has no frame of its name.
    """
    files = [path for path in entries(folder) if path.suffix.lower() == ".png"] if folder.is_dir() else []
    stray = [path.name for path in files if path.stem not in frames.numbers]
    if stray:
        raise ValueError(
            f"{folder} has {len(stray)} masks without a frame of the same name in {frames.where}, such as {stray[0]}: "
            "rename or remove them"
        )
    found = {frames.numbers[path.stem]: path for path in files}
    if complete and found:
        return {number: found.get(number, folder / f"{stem}.png") for stem, number in frames.numbers.items()}
    return found


def object_maps_of(frames: PictureFrames, folder: DataPath) -> dict[int, dict[int, Draw]]:
    """Binary masks of ``<folder>/<object>/<frame>.png`` by frame and object.

    An object without a file in a frame that others have one for is absent there.

    Raises:
        ValueError: A folder is not named by a number, or a mask has no frame of its name.
    """
    found: dict[int, dict[int, Draw]] = {}
    for thing in folders_in(folder):
        if not thing.name.isdecimal():
            raise ValueError(f"expected folders named by object numbers in {folder}, got {thing.name}")
        for number, path in maps_of(frames, thing).items():
            found.setdefault(number, {})[int(thing.name)] = from_png(path)
    return found


def split_folder(root: DataPath, split: str | None, inside: str = "JPEGImages") -> tuple[DataPath, str]:
    """Folder and name of a split: ``<root>/<split>``, or the root itself where it already is a split.

    Without a split, ``train`` is taken where there is one, else the only one there is.

    Raises:
        FileNotFoundError: There is no such split.
        ValueError: No split is given and there are several, none of them ``train``.
    """
    if (root / inside).is_dir() and split in (None, root.name):
        return root, root.name
    found = [folder.name for folder in folders_in(root) if (folder / inside).is_dir()]
    if split is None and found:
        if len(found) > 1 and "train" not in found:
            raise ValueError(f"{root} has the splits {', '.join(found)}: say which with split (--split)")
        split = "train" if "train" in found else found[0]
    if split not in found:
        raise FileNotFoundError(
            f"expected {root / (split or 'train') / inside}, found {', '.join(found) or 'no split'}: check the path "
            "and the split (--split)"
        )
    return root / split, split


def names_in(folder: DataPath) -> list[str]:
    """Names of the videos of a folder.

    Raises:
        FileNotFoundError: There is no such folder, or it is empty.
    """
    names = [path.name for path in entries(folder) if not path.suffix or path.is_dir()]
    if not names:
        raise FileNotFoundError(f"expected a folder for each video in {folder}, found none")
    return names


def _nth(folders: PaletteFolders, names: tuple[str, ...], index: int) -> AnnotatedVideo:
    return folders.video(names[index])


def _numbers(frames: PictureFrames, first: Mapping[int, str]) -> dict[int, int]:
    """Numbers of frames by their stems."""
    missing = {label: stem for label, stem in first.items() if stem not in frames.numbers}
    if missing:
        label, stem = next(iter(missing.items()))
        raise ValueError(f"object {label} is said to appear in frame {stem}, which is not in {frames.where}")
    return {label: frames.numbers[stem] for label, stem in first.items()}
