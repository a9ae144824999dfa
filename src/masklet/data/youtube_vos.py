"""YouTube-VOS: ``{train,valid,test}/JPEGImages/<video>``, ``Annotations`` and ``meta.json``.

The folders ``*_all_frames`` hold all frames of the same videos, in place of every fifth; masks and ``meta.json`` are
then those of the split itself. Objects may appear later than in the first frame. In ``valid`` and ``test`` an object is
annotated only in its first frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .palette_folders import PaletteFolders, split_folder
from .paths import BrokenAnnotations, DataPath, read_json
from .records import AnnotatedVideo, VideoDataset

_ALL_FRAMES = "_all_frames"


def open_youtube_vos(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open YouTube-VOS.

    Args:
        root: Folder of the splits, or of one of them.
        split: ``train`` (the default where it is there), ``valid``, ``test``, or one of these with ``_all_frames``.

    Raises:
        FileNotFoundError: There is no such split, or no ``meta.json``.
        BrokenAnnotations: ``meta.json`` cannot be understood.
        ValueError: There are several splits and none is given.
    """
    base = None if split is None else split.removesuffix(_ALL_FRAMES)
    # Frames are never taken from the sparse folder where all of them were asked for.
    inside = "JPEGImages" if split == base else "Annotations"
    folder, name = split_folder(root, base, inside)
    images = folder / "JPEGImages"
    if split is not None and split != base:
        places = [root / split, root / "all_frames" / split, folder.parent / split]
        images = next((place for place in places if place.is_dir()), places[0]) / "JPEGImages"
        if not images.is_dir():
            raise FileNotFoundError(f"expected all frames of {base} in {images}, found no such folder")
    path = folder / "meta.json"
    try:
        meta = read_json(path)
        first = _first_frames(meta)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BrokenAnnotations):
            raise
        raise BrokenAnnotations(path, f"expected videos > (id) > objects > (number) > frames, got {error!r}") from error
    folders = PaletteFolders(images, folder / "Annotations", first_only=not name.startswith("train"))
    return VideoDataset(
        "youtube_vos", str(root), tuple(first), False, partial(_video, _Index(folders, first, _categories(meta)))
    )


@dataclass(frozen=True)
class _Index:
    """The folders, and the stem of the first frame and the category of each object of each video."""

    folders: PaletteFolders
    first: dict[str, dict[int, str]]
    categories: dict[str, dict[int, str]]


def _video(index: _Index, number: int) -> AnnotatedVideo:
    name = tuple(index.first)[number]
    return replace(index.folders.video(name, index.first[name]), categories=lambda: index.categories[name])


def _first_frames(meta: Any) -> dict[str, dict[int, str]]:
    return {
        str(name): {int(label): str(min(thing["frames"])) for label, thing in video["objects"].items()}
        for name, video in meta["videos"].items()
    }


def _categories(meta: Any) -> dict[str, dict[int, str]]:
    return {
        str(name): {
            int(label): str(thing["category"]) for label, thing in video["objects"].items() if "category" in thing
        }
        for name, video in meta["videos"].items()
    }
