"""Folders of masks as the official tools read them: numbers of pixels as they are stored, no meaning read into them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from ...data.paths import DataPath
from ...data.records import Truth
from ...data.truths import Draw, LabelMaps, ObjectMasks
from ...evaluation.prediction_folders import object_folders
from ...masks.label_png import read_label_png


def masks_of(where: Path, numbers: Mapping[str, int], *, per_object: bool) -> Truth:
    """The masks of a video.

    Args:
        where: Folder of ``<frame>.png``, or of ``<object>/<frame>.png``.
        numbers: Number of each frame by its name; other files are passed over.
        per_object: Each object has a folder.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not where.is_dir():
        raise FileNotFoundError(f"expected a folder of masks, found none at {where}")
    if per_object:
        return ObjectMasks(where, partial(_object_masks, where, numbers))
    return LabelMaps(where, partial(_maps, where, numbers), read=_stored)


def _maps(where: Path, numbers: Mapping[str, int]) -> dict[int, Path]:
    found = {t: where / f"{name}.png" for name, t in numbers.items()}
    return {t: path for t, path in found.items() if path.is_file()}


def _object_masks(where: Path, numbers: Mapping[str, int]) -> dict[int, dict[int, Draw]]:
    found: dict[int, dict[int, Draw]] = {}
    for object_id, folder in object_folders(where).items():
        for t, path in _maps(folder, numbers).items():
            found.setdefault(t, {})[object_id] = partial(_inside, path)
    return found


def _stored(path: DataPath) -> Int32[np.ndarray, "h w"]:
    return read_label_png(path.read_bytes(), str(path)).astype(np.int32)


def _inside(path: Path) -> np.ndarray:
    return _stored(path) > 0
