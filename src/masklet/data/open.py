"""Opening a data set of any known format, which is recognised from what its folder holds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from .bsds import is_bsds, open_bsds
from .class_maps import is_class_maps, open_class_maps
from .coco import annotation_files, open_coco
from .cvat import inner_tasks, open_cvat
from .davis import RESOLUTIONS, open_davis
from .frames import MOVIES, PICTURES
from .label_studio import is_task_list, open_label_studio, task_file
from .lvos import open_lvos
from .mose import open_mose
from .mots import mots_files, open_mots
from .paths import DataPath, data_path, entries, files_in, folders_in
from .plain_folders import open_plain_folders
from .records import VideoDataset
from .sa_1b import open_sa_1b
from .sa_v import open_sa_v
from .track_results import is_track_results, open_track_results
from .yolo_seg import open_yolo_seg, settings_file
from .youtube_vis import is_youtube_vis, open_youtube_vis, vis_files
from .youtube_vos import open_youtube_vos


@dataclass(frozen=True)
class Format:
    """A format: how it is opened, how it is told from others, and that in words."""

    open: Callable[[DataPath, str | None], VideoDataset]
    fits: Callable[[DataPath], bool]
    looked_for: str


def open_dataset(
    path: str | os.PathLike[str] | DataPath, format: str | None = None, split: str | None = None
) -> VideoDataset:
    """Open a data set; files are listed, and annotation files that hold all of it parsed, but no pixel is decoded.

    Args:
        path: Folder or annotation file, or an address of object storage such as ``s3://bucket/folder``.
        format: A name in ``FORMATS``; by default it is recognised.
        split: Part of the data set; what there is depends on the format.

    Raises:
        FileNotFoundError: There is no such path, split or list.
        BrokenAnnotations: A file that describes the whole data set cannot be understood.
        ValueError: The format is unknown or not recognised, or the split has to be given.
        ImportError: A path of object storage, or the format, needs a package that is not installed.
    """
    root = data_path(path)
    if format is not None and format not in FORMATS:
        raise ValueError(f"there is no format {format!r}, expected one of {', '.join(FORMATS)}")
    if not root.is_dir() and not root.is_file():
        raise FileNotFoundError(f"there is no file or folder {root}: check the path")
    return FORMATS[format or recognise(root)].open(root, split)


def recognise(root: DataPath) -> str:
    """Name of the format of a folder or annotation file.

    Raises:
        ValueError: It is none of the known ones; the message names what was looked for.
    """
    if root.is_file():
        if root.suffix.lower() == ".json":
            return _json_kind(root)
        kinds = {".txt": "mots", ".xml": "cvat", ".yaml": "yolo_seg", ".yml": "yolo_seg"}
        kinds |= dict.fromkeys(MOVIES, "plain_folders")
        if root.suffix.lower() not in kinds:
            raise ValueError(f"{root} is no data set: expected a folder, or a file .json, {', '.join(sorted(kinds))}")
        return kinds[root.suffix.lower()]
    for name, one in FORMATS.items():
        if one.fits(root):
            return name
    looked_for = "; ".join(f"{name}: {one.looked_for}" for name, one in FORMATS.items())
    raise ValueError(f"the format of {root} is not recognised, say which (--format). Looked for {looked_for}")


def _json_kind(file: DataPath) -> str:
    """Format of a JSON file, by its names and its start."""
    if is_task_list(file):
        return "label_studio"
    if is_youtube_vis(file):
        return "youtube_vis"
    if file.name.endswith(("_manual.json", "_auto.json", ".sav.json")):
        return "sa_v"
    return "track_results" if file.name == "masks.coco.json" else "coco"


def _is_sa_v(root: DataPath) -> bool:
    names = [entry.name for entry in entries(root)]
    return "JPEGImages_24fps" in names or any(
        name.startswith("sav_") or name.endswith(("_manual.json", "_auto.json")) for name in names
    )


def _is_sa_1b(root: DataPath) -> bool:
    names = [entry.name for entry in entries(root)]
    return any(re.fullmatch(r"sa_\d+(\.json)?", name) for name in names)


def _is_davis(root: DataPath) -> bool:
    return any((root / "JPEGImages" / resolution).is_dir() for resolution in RESOLUTIONS)


def _splits(root: DataPath) -> list[DataPath]:
    """Folders of the shape that YouTube-VOS, MOSE and LVOS share: the root or what it holds."""
    wanted = ("JPEGImages", "Annotations")
    return [folder for folder in (root, *folders_in(root)) if all((folder / inner).is_dir() for inner in wanted)]


def _is_youtube_vos(root: DataPath) -> bool:
    return any((one / "meta.json").is_file() for one in _splits(root))


def _is_lvos(root: DataPath) -> bool:
    for split in _splits(root)[:1]:
        videos = folders_in(split / "JPEGImages")
        frames = files_in(videos[0], PICTURES) if videos else []
        return bool(frames) and bool(re.fullmatch(r"\d{8}", frames[0].stem))
    return False


def _is_mose(root: DataPath) -> bool:
    return bool(_splits(root))


def _is_coco(root: DataPath) -> bool:
    return bool(annotation_files(root))


def _is_cvat(root: DataPath) -> bool:
    return (root / "annotations.xml").is_file() or bool(inner_tasks(root))


def _is_youtube_vis(root: DataPath) -> bool:
    return bool(vis_files(root))


def _is_label_studio(root: DataPath) -> bool:
    return task_file(root) is not None


def _is_mots(root: DataPath) -> bool:
    return bool(mots_files(root))


def _is_yolo(root: DataPath) -> bool:
    return settings_file(root) is not None or ((root / "images").is_dir() and (root / "labels").is_dir())


def _is_plain(root: DataPath) -> bool:
    if (root / "frames").is_dir() or ((root / "images").is_dir() and (root / "masks").is_dir()):
        return True
    found = entries(root)
    maps = {path.stem for path in found if path.suffix.lower() == ".png"}
    pairs = any(p.stem in maps for p in found if p.suffix.lower() in PICTURES - {".png"})
    movies = any(path.suffix.lower() in MOVIES for path in found)
    return pairs or movies or any((path / "frames").is_dir() for path in folders_in(root))


FORMATS = {
    "sa_v": Format(open_sa_v, _is_sa_v, "sav_*.mp4, *_manual.json, *_auto.json, sav_train/ or JPEGImages_24fps/"),
    "sa_1b": Format(open_sa_1b, _is_sa_1b, "sa_*.json or folders sa_000000"),
    "davis": Format(open_davis, _is_davis, f"JPEGImages/ with {', '.join(RESOLUTIONS)}"),
    "youtube_vos": Format(open_youtube_vos, _is_youtube_vos, "JPEGImages/, Annotations/ and meta.json of a split"),
    "lvos": Format(open_lvos, _is_lvos, "JPEGImages/, Annotations/ of a split and frames named by 8 digits"),
    "mose": Format(open_mose, _is_mose, "JPEGImages/ and Annotations/ of a split"),
    "youtube_vis": Format(open_youtube_vis, _is_youtube_vis, "a .json with videos, also in annotations/"),
    "coco": Format(open_coco, _is_coco, "instances*.json or *.coco.json, also in annotations/"),
    "cvat": Format(open_cvat, _is_cvat, "annotations.xml"),
    "label_studio": Format(open_label_studio, _is_label_studio, "a .json with a list of tasks"),
    "mots": Format(open_mots, _is_mots, "instances_txt/, or .txt with six fields a line"),
    "bsds": Format(open_bsds, is_bsds, "images/ and groundTruth/, or images/ and labels/*_a0.png of a split"),
    "class_maps": Format(open_class_maps, is_class_maps, "images/ and labels/ with a PNG an image"),
    "yolo_seg": Format(open_yolo_seg, _is_yolo, "data.yaml, or images/ and labels/ with text"),
    "plain_folders": Format(
        open_plain_folders,
        _is_plain,
        "images/ and masks/, folders with frames/ and masks/, movies, or pairs such as a.jpg and a.png",
    ),
    "track_results": Format(open_track_results, is_track_results, "PNG files named by frame numbers"),
}
"""The known formats; one that fits earlier is taken."""
