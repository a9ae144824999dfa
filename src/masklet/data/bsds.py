"""BSDS500: photos with the regions that several people outlined, a map each.

Layouts: the original one, ``images/<split>/<name>.jpg`` and ``groundTruth/<split>/<name>.mat``, and one of PNGs,
``<split>/images/<name>.jpg`` and ``<split>/labels/<name>_a<annotator>.png`` (labels as grey levels or indices).
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from io import BytesIO

import numpy as np
from jaxtyping import Integer
from numpy import ndarray

from ..masks.label_png import read_label_png
from .frames import PICTURES, PictureFrames, single_frame
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, take_split
from .records import AnnotatedVideo, Mask, VideoDataset
from .regions import SMALLEST_SHARE
from .truths import Draw, ObjectMasks

ANNOTATOR_STEP = 100_000
"""Region r of annotator a (from 0) is object ``a * ANNOTATOR_STEP + r``; the files hold 16 bits a region."""
_ANNOTATED = re.compile(r"^(.+)_a\d+$")


def open_bsds(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open BSDS500. Every annotator's regions are objects, so that those of different annotators overlap.

    Regions below ``SMALLEST_SHARE`` of the image are left out: they are about half of all.

    Args:
        root: Folder of the splits (``data`` of the original distribution, or what holds it), or one of PNGs itself.
        split: ``train`` (the default where it is there), ``val`` or ``test``.

    Raises:
        FileNotFoundError: There is no such split, or it has no images.
        ValueError: There are several splits and none is given.
        ImportError: The maps are MATLAB files and scipy is not installed.
    """
    images, maps = take_split(root, _splits(root), split)
    photos = files_in(images, PICTURES)
    if not photos:
        raise FileNotFoundError(f"expected images ({', '.join(sorted(PICTURES))}) in {images}, found none")
    if _original(root) is None:
        found = _maps_by_image(maps)
        entries = [_Photo(one, tuple(found[one.stem]) or (maps / f"{one.stem}_a0.png",)) for one in photos]
    elif find_spec("scipy") is None:
        raise ImportError(f"{maps} holds MATLAB files, which need scipy: pip install 'masklet[train]'")
    else:
        entries = [_Photo(one, (maps / f"{one.stem}.mat",)) for one in photos]
    return VideoDataset("bsds", str(root), tuple(one.stem for one in photos), True, partial(_record, tuple(entries)))


def is_bsds(root: DataPath) -> bool:
    """Whether a folder holds BSDS500 in one of its layouts."""
    if _original(root) is not None:
        return True
    return any(
        (images / f"{name}{suffix}").is_file()
        for images, labels in _splits(root).values()
        for name in _maps_by_image(labels)
        for suffix in PICTURES
    )


@dataclass(frozen=True)
class _Photo:
    """A photo and the files of its maps: one an annotator, or a MATLAB file of all."""

    image: DataPath
    maps: tuple[DataPath, ...]


def _original(root: DataPath) -> DataPath | None:
    """The folder of the original layout, if it is one."""
    wanted = ("images", "groundTruth")
    return next((one for one in (root, root / "data") if all((one / inner).is_dir() for inner in wanted)), None)


def _splits(root: DataPath) -> dict[str, tuple[DataPath, DataPath]]:
    """Folders of photos and of maps by split."""
    base = _original(root)
    if base is not None:
        return {maps.name: (base / "images" / maps.name, maps) for maps in folders_in(base / "groundTruth")}
    places = [(one.name, one / "images", one / "labels") for one in (root, *folders_in(root))]
    return {name: (images, labels) for name, images, labels in places if images.is_dir() and labels.is_dir()}


def _maps_by_image(labels: DataPath) -> defaultdict[str, list[DataPath]]:
    found: defaultdict[str, list[DataPath]] = defaultdict(list)
    for path in files_in(labels, {".png"}):
        if match := _ANNOTATED.match(path.stem):
            found[match[1]].append(path)
    return found


def _record(photos: tuple[_Photo, ...], index: int) -> AnnotatedVideo:
    photo = photos[index]
    frames = single_frame(photo.image)
    return AnnotatedVideo(photo.image.stem, frames, ObjectMasks(photo.maps[0], partial(_regions, photo, frames)))


def _regions(photo: _Photo, frames: PictureFrames) -> dict[int, dict[int, Draw]]:
    size = frames.size()
    found: dict[int, Draw] = {}
    maps = [(path, labels) for path in photo.maps for labels in _read(path)]
    for annotator, (path, labels) in enumerate(maps):
        if labels.shape != size:
            raise BrokenAnnotations(path, f"a map has shape {labels.shape}, the image {size}: they must be of one size")
        areas = np.bincount(labels.ravel())
        areas[0] = 0  # no region
        for number in np.flatnonzero(areas >= SMALLEST_SHARE * labels.size).tolist():
            found[annotator * ANNOTATOR_STEP + number] = partial(_draw, labels, number)
    return {0: found}


def _draw(labels: Integer[ndarray, "h w"], number: int) -> Mask:
    return labels == number


def _read(path: DataPath) -> list[Integer[ndarray, "h w"]]:
    """The maps of a file.

    Raises:
        ValueError: It is damaged, or holds something else.
        OSError: It cannot be read.
    """
    if path.suffix == ".png":
        return [read_label_png(path.read_bytes(), str(path))]
    cells = _ground_truth(path)
    try:
        maps = [np.asarray(cell["Segmentation"][0, 0]) for cell in cells.ravel()]
    except (ValueError, IndexError, TypeError) as error:
        raise BrokenAnnotations(path, f"expected cells groundTruth with a field Segmentation ({error})") from error
    for labels in maps:
        if labels.ndim != 2 or labels.dtype.kind not in "ui" or not labels.size:
            got = f"{labels.dtype} {labels.shape}"
            raise BrokenAnnotations(path, f"a Segmentation is {got}, expected whole numbers of two dimensions")
        if labels.min() < 0 or labels.max() >= ANNOTATOR_STEP:
            raise BrokenAnnotations(
                path, f"its regions are numbered {labels.min()} to {labels.max()}, expected 1 to {ANNOTATOR_STEP - 1}"
            )
    if not maps:
        raise BrokenAnnotations(path, "its groundTruth is empty, expected a cell an annotator")
    return maps


def _ground_truth(path: DataPath) -> ndarray:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    data = path.read_bytes()
    try:
        content = loadmat(BytesIO(data))
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError, zlib.error) as error:
        raise BrokenAnnotations(path, f"it cannot be read as a MATLAB file ({error})") from error
    if "groundTruth" not in content:
        there = ", ".join(name for name in content if not name.startswith("__"))
        raise BrokenAnnotations(path, f"it has no groundTruth, found {there or 'nothing'}")
    return content["groundTruth"]
