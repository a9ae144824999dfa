"""LVOS, both versions: ``{train,valid,test}/JPEGImages/<video>/<8 digits>.jpg`` and ``Annotations``.

Of ``test`` only the first appearance of each object is given. ``valid`` is annotated throughout; a protocol that
prompts with first appearances takes them from ``AnnotatedVideo.first_frames``.
"""

from __future__ import annotations

from .palette_folders import PaletteFolders, names_in, split_folder
from .paths import DataPath
from .records import VideoDataset


def open_lvos(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open LVOS.

    Args:
        root: Folder of the splits, or of one of them.
        split: ``train`` (the default where it is there), ``valid`` or ``test``.

    Raises:
        FileNotFoundError: There is no such split.
        ValueError: There are several splits and none is given.
    """
    folder, split = split_folder(root, split)
    folders = PaletteFolders(folder / "JPEGImages", folder / "Annotations", first_only=split == "test")
    return folders.dataset("lvos", root, names_in(folders.images))
