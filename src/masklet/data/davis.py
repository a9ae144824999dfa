"""DAVIS 2016 and 2017: ``JPEGImages/<resolution>``, ``Annotations/<resolution>`` and lists in ``ImageSets``."""

from __future__ import annotations

from .palette_folders import PaletteFolders, names_in
from .paths import DataPath, files_in, folders_in, read_lines
from .records import VideoDataset

RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
_YEARS = ("2017", "2016")
_FIRST_FRAME_ONLY = ("test-dev", "test-challenge")


def open_davis(root: DataPath, split: str | None = None, resolution: str | None = None) -> VideoDataset:
    """Open DAVIS.

    Args:
        root: Folder that holds ``JPEGImages``.
        split: A list such as ``val``, or ``2016/val`` for that year, in which all objects are one; the year is 2017
            where both have the list. By default all sequences that have a folder.
        resolution: ``480p``, ``Full-Resolution`` (2017) or ``1080p`` (2016); by default the first of these.

    Raises:
        FileNotFoundError: A folder or list is missing; the message names it.
    """
    resolution = resolution or _resolution(root)
    images, masks = root / "JPEGImages" / resolution, root / "Annotations" / resolution
    if split is None:
        return PaletteFolders(images, masks).dataset("davis", root, names_in(images))
    year, names = _listed(root, split)
    complete = not split.endswith(_FIRST_FRAME_ONLY)
    return PaletteFolders(images, masks, complete, merged=year == "2016").dataset("davis", root, names)


def _resolution(root: DataPath) -> str:
    found = [folder.name for folder in folders_in(root / "JPEGImages")]
    known = [name for name in RESOLUTIONS if name in found]
    if not known:
        raise FileNotFoundError(
            f"expected one of {', '.join(RESOLUTIONS)} in {root / 'JPEGImages'}, found {', '.join(found[:5]) or 'none'}"
        )
    return known[0]


def _listed(root: DataPath, split: str) -> tuple[str, list[str]]:
    """Year and sequences of a split; lists of 2016 may name pairs of files in place of sequences."""
    lists = root / "ImageSets"
    year, _, name = split.rpartition("/")
    for candidate in [year] if year else _YEARS:
        folders = [lists / candidate, *(lists / name for name in RESOLUTIONS if candidate == "2016")]
        path = next((folder / f"{name}.txt" for folder in folders if (folder / f"{name}.txt").is_file()), None)
        if path is not None:
            first = [line.split()[0] for line in read_lines(path)]
            if any("/" in word for word in first):
                first = list(dict.fromkeys(word.split("/")[-2] for word in first))
            return candidate, first
    there = [f"{folder.name}/{path.stem}" for folder in folders_in(lists) for path in files_in(folder, {".txt"})]
    raise FileNotFoundError(f"there is no list of the split {split!r} in {lists}: found {', '.join(there) or 'none'}")
