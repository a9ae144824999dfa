"""SA-1B: ``sa_<number>.jpg`` with ``sa_<number>.json``, run lengths of every mask.

Source: README of facebookresearch/segment-anything; the limit on large masks is that of SAM 2's training (appendix C.2
of its paper).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ..masks import rle
from .frames import single_frame
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, read_json
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, ObjectMasks, distinct, from_rle

LARGEST_SHARE = 0.9
"""Masks that cover more of the image are left out: they are backgrounds."""


def open_sa_1b(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open a folder of SA-1B, or a folder of such folders (``sa_000000`` ...).

    Masks have the ids of the file and overlap. Masks of more than 90 % of the image are left out.

    Args:
        root: The folder.
        split: Name of one of the inner folders; by default all are read. There are no official splits.

    Raises:
        FileNotFoundError: There are no images.
    """
    place = root if split is None else root / split
    images = files_in(place, {".jpg"}) or [one for inner in folders_in(place) for one in files_in(inner, {".jpg"})]
    if not images:
        raise FileNotFoundError(f"expected images (sa_1.jpg ...) in {place} or its subfolders, found none")
    names = tuple(path.stem for path in images)
    return VideoDataset("sa_1b", str(root), names, True, partial(_image, tuple(images)))


def _image(images: tuple[DataPath, ...], index: int) -> AnnotatedVideo:
    path = images[index]
    code = path.parent / f"{path.stem}.json"
    return AnnotatedVideo(path.stem, single_frame(path), ObjectMasks(code, partial(_masks, code)))


def _masks(path: DataPath) -> dict[int, dict[int, Draw]]:
    content = read_json(path)
    try:
        found = [(int(one["id"]), from_rle(one["segmentation"])) for one in content["annotations"] if _is_part(one)]
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnnotations(path, f"expected annotations with id and segmentation, got {error!r}") from error
    return {0: distinct(found, path)}


def _is_part(annotation: dict[str, Any]) -> bool:
    code = annotation["segmentation"]
    height, width = code["size"]
    try:
        area = annotation["area"] if "area" in annotation else rle.area(code)
    except ValueError:  # damaged run lengths: kept, so that decoding them says so
        return True
    return area <= LARGEST_SHARE * height * width
