"""MOSE: ``{train,valid}/JPEGImages/<video>`` and ``Annotations``; of ``valid`` only first frames are annotated."""

from __future__ import annotations

from .palette_folders import PaletteFolders, names_in, split_folder
from .paths import DataPath
from .records import VideoDataset


def open_mose(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open MOSE.

    Args:
        root: Folder of the splits, or of one of them.
        split: ``train`` (the default where it is there) or ``valid``.

    Raises:
        FileNotFoundError: There is no such split.
        ValueError: There are several splits and none is given.
    """
    folder, split = split_folder(root, split)
    folders = PaletteFolders(folder / "JPEGImages", folder / "Annotations", complete=split == "train")
    return folders.dataset("mose", root, names_in(folders.images))
