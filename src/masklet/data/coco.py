"""COCO instances: one JSON file with polygons or run lengths for many images."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

from .frames import single_frame
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, read_json
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, ObjectMasks, distinct, from_polygons, from_rle


@dataclass(frozen=True)
class CocoIndex:
    """What the file says, by image: held in memory, as it is one file.

    Attributes:
        file: The annotation file.
        images: Folder of the images.
        entries: File name, height and width of each image, and number, category and outline of each annotation that
            is no crowd.
    """

    file: DataPath
    images: DataPath
    entries: tuple[tuple[str, int, int, tuple[Any, ...]], ...]

    def image(self, index: int) -> AnnotatedVideo:
        """One image with its instances; their ids are those of the file (``track_id`` where it has that)."""
        name, height, width, annotations = self.entries[index]
        truth = ObjectMasks(self.file, partial(_masks, self.file, annotations, (height, width)))
        known = {number: category for number, category, _ in annotations if category is not None}
        return AnnotatedVideo(name, single_frame(self.images / name, (height, width)), truth, lambda: known)


def open_coco(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open instances in the format of COCO; crowds and instances without an outline are left out.

    Args:
        root: The JSON file, or a folder that holds it directly, in ``annotations`` or in the folder of the split.
        split: Part of the file's name, such as ``val2017`` of ``instances_val2017.json``, or name of its folder; needed
            where there are several files.

    Raises:
        FileNotFoundError: There is no such file.
        BrokenAnnotations: It cannot be understood.
        ValueError: There are several and none is chosen.
    """
    file = root if root.suffix.lower() == ".json" else _file(root, split)
    content = read_json(file)
    try:
        known = {one["id"]: one for one in content["images"]}
        categories = {one["id"]: str(one["name"]) for one in content.get("categories", ())}
        listed: dict[Any, list[Any]] = defaultdict(list)
        for one in content["annotations"]:
            if one["image_id"] not in known:
                raise BrokenAnnotations(file, f"annotation {one['id']} is of image {one['image_id']!r}, which it lacks")
            if not one.get("iscrowd") and one.get("segmentation"):
                number = one["track_id"] if isinstance(one.get("track_id"), int) else int(one["id"])
                listed[one["image_id"]].append((number, categories.get(one.get("category_id")), one["segmentation"]))
        entries = tuple(
            (str(one["file_name"]), int(one["height"]), int(one["width"]), tuple(listed[one["id"]]))
            for one in content["images"]
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BrokenAnnotations):
            raise
        raise BrokenAnnotations(file, f"expected images and annotations as COCO has them, got {error!r}") from error
    if not entries:
        raise BrokenAnnotations(file, "it lists no images")
    index = CocoIndex(file, _image_folder(file, entries[0][0]), entries)
    return VideoDataset("coco", str(root), tuple(one[0] for one in entries), True, index.image)


def annotation_files(root: DataPath) -> list[DataPath]:
    """Files below a folder that are named as annotations of COCO are."""
    folders = [root, root / "annotations", *(folder for folder in folders_in(root) if folder.name != "annotations")]
    found = [path for folder in folders for path in files_in(folder, {".json"})]
    return [path for path in found if path.name.startswith("instances") or path.name.endswith(".coco.json")]


def _file(root: DataPath, split: str | None) -> DataPath:
    there = annotation_files(root)
    wanted = [one for one in there if split is None or split in one.stem or split == one.parent.name]
    if len(wanted) == 1:
        return wanted[0]
    names = ", ".join(one.name if one.parent == root else f"{one.parent.name}/{one.name}" for one in there) or "none"
    if not wanted:
        raise FileNotFoundError(f"expected instances_{split or '*'}.json in {root} or {root / 'annotations'}: {names}")
    raise ValueError(f"{root} has several annotation files ({names}): say which with split (--split), or give the file")


def _image_folder(file: DataPath, first: str) -> DataPath:
    """Folder in which the first image is; where it is nowhere, the folder of the file."""
    split = file.stem.removeprefix("instances").strip("_")
    above = file.parent.parent if file.parent.name == "annotations" else file.parent
    places = [file.parent, above, above / split, above / "images", above / "images" / split]
    return next((place for place in places if (place / first).is_file()), file.parent)


def _masks(file: DataPath, annotations: tuple[Any, ...], size: tuple[int, int]) -> dict[int, dict[int, Draw]]:
    found = [(n, from_polygons(it, size) if isinstance(it, list) else from_rle(it)) for n, _, it in annotations]
    return {0: distinct(found, file)}
