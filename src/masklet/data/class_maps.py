"""Folders of class maps: ``images/<name>.jpg`` and ``labels/<name>.png``, a class number a pixel (CamVid, CCP).

Splits are ``images/<split>`` with ``labels/<split>``, or ``<split>/images`` with ``<split>/labels``.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Int32

from ..masks.label_png import read_label_png
from .frames import PICTURES, single_frame
from .paths import DataPath, files_in, folders_in, take_split
from .records import AnnotatedVideo, VideoDataset
from .regions import SMALLEST_SHARE
from .stills import connected_parts
from .truths import LabelMaps


def open_class_maps(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open a folder of class maps. Connected areas of one class are objects, numbered from the largest.

    Areas below ``SMALLEST_SHARE`` of the image are left out. Class 0 is none, and so is the highest number that the
    file can hold (255, or 65535 of 16 bits) in a map that has other classes: it is the usual void.

    Args:
        root: Folder that holds ``images`` and ``labels``, or the splits.
        split: Name of a split; by default ``train`` where it is there.

    Raises:
        FileNotFoundError: There is no such split, or it has no images.
        ValueError: There are several splits and none is given.
    """
    images, maps = take_split(root, _splits(root), split)
    photos = files_in(images, PICTURES)
    if not photos:
        raise FileNotFoundError(f"expected images ({', '.join(sorted(PICTURES))}) in {images}, found none")
    return VideoDataset(
        "class_maps", str(root), tuple(one.stem for one in photos), True, partial(_record, tuple(photos), maps)
    )


def is_class_maps(root: DataPath) -> bool:
    """Whether a folder holds class maps: PNGs where YOLO has text."""
    return bool(_splits(root))


def _splits(root: DataPath) -> dict[str, tuple[DataPath, DataPath]]:
    """Folders of images and of maps by split; the root itself has its own name."""
    pairs = {one.name: (one / "images", one / "labels") for one in (root, *folders_in(root))}
    pairs |= {one.name: (root / "images" / one.name, one) for one in folders_in(root / "labels")}
    return {name: (images, maps) for name, (images, maps) in pairs.items() if images.is_dir() and _are_maps(maps)}


def _are_maps(folder: DataPath) -> bool:
    return bool(files_in(folder, {".png"})) and not files_in(folder, {".txt"})


def _record(photos: tuple[DataPath, ...], maps: DataPath, index: int) -> AnnotatedVideo:
    photo = photos[index]
    files = {0: maps / f"{photo.stem}.png"}
    return AnnotatedVideo(photo.stem, single_frame(photo), LabelMaps(maps, partial(dict, files), read=_areas))


def _areas(path: DataPath) -> Int32[np.ndarray, "h w"]:
    stored = read_label_png(path.read_bytes(), str(path))
    labels, void = stored.astype(np.int32), np.iinfo(stored.dtype).max
    if np.any((labels > 0) & (labels < void)):
        labels[labels == void] = 0
    return connected_parts(labels, 0, SMALLEST_SHARE, {}, 0.0)[0]
