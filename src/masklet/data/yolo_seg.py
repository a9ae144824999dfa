"""YOLO segmentation: ``images/`` and ``labels/`` of the same names, a line of text for each polygon."""

from __future__ import annotations

from functools import partial
from typing import Any

from .frames import PICTURES, PictureFrames, single_frame
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, read_lines
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, ObjectMasks, from_polygons

_SETTINGS = ("data.yaml", "dataset.yaml", "data.yml")
_BOX_FIELDS = 5


def open_yolo_seg(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open a data set of YOLO with outlines; lines that are boxes (class and four numbers) are left out.

    Objects are numbered from 1 in the order of the lines. An image without a text file is not annotated.

    Args:
        root: The folder, or its ``data.yaml``.
        split: ``train``, ``val`` or ``test``: as ``data.yaml`` says, else ``images/<split>`` or ``<split>/images``. By
            default ``train`` where ``data.yaml`` has it, else all images.

    Raises:
        FileNotFoundError: There are no images.
        BrokenAnnotations: ``data.yaml`` cannot be understood.
    """
    file = root if root.suffix.lower() in (".yaml", ".yml") else settings_file(root)
    folder = root.parent if file is root else root
    settings = {} if file is None else _settings(file)
    chosen = split or ("train" if settings.get("train") else None)
    if chosen is not None and settings.get(chosen):
        images = _stated(folder, settings, chosen)
    else:
        images = _images_below(folder, split)
    if not images:
        raise FileNotFoundError(f"expected images of the split {chosen or 'images'} in {folder}, found none")
    names = tuple(one.stem for one in images)
    return VideoDataset("yolo_seg", str(root), names, True, partial(_image, tuple(images), _class_names(settings)))


def settings_file(root: DataPath) -> DataPath | None:
    """The file that says where the splits are, if there is one."""
    return next((root / name for name in _SETTINGS if (root / name).is_file()), None)


def _settings(file: DataPath) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError as error:
        raise BrokenAnnotations(file, f"it cannot be parsed as YAML ({error})") from error
    if not isinstance(content, dict):
        raise BrokenAnnotations(file, f"expected fields such as train and val, got {content!r:.80}")
    return content


def _class_names(settings: dict[str, Any]) -> dict[int, str]:
    """Names by the number of the class; ``names`` is a list or a mapping."""
    names = settings.get("names") or {}
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in pairs}


def _stated(folder: DataPath, settings: dict[str, Any], split: str) -> list[DataPath]:
    """Images of the folders and lists that the settings name; paths that lie elsewhere are looked for from here."""
    base = folder / str(settings.get("path") or ".")
    base = base if base.is_dir() else folder
    found: list[DataPath] = []
    places = settings[split] if isinstance(settings[split], list) else [settings[split]]
    for place in map(str, places):
        path = base / place
        if not path.is_dir() and not path.is_file():
            path = folder / place.removeprefix("../")  # as some exports write what lies beside the settings
        if place.endswith(".txt"):
            found += [path.parent / line.removeprefix("./") for line in read_lines(path)]
        else:
            found += files_in(path, PICTURES)
    return found


def _images_below(folder: DataPath, split: str | None) -> list[DataPath]:
    if split is not None:
        return files_in(folder / "images" / split, PICTURES) or files_in(folder / split / "images", PICTURES)
    images = folder / "images"
    return files_in(images, PICTURES) + [one for inner in folders_in(images) for one in files_in(inner, PICTURES)]


def _image(images: tuple[DataPath, ...], names: dict[int, str], index: int) -> AnnotatedVideo:
    path = images[index]
    frames = single_frame(path)
    text = _labels_of(path)
    truth = ObjectMasks(text, partial(_masks, text, frames))
    return AnnotatedVideo(path.stem, frames, truth, partial(_categories, text, names))


def _labels_of(image: DataPath) -> DataPath:
    """The text file of an image: the last folder ``images`` on the way to it is ``labels`` there."""
    inner: list[str] = []
    folder = image.parent
    while folder.name and folder.name != "images":
        inner.insert(0, folder.name)
        folder = folder.parent
    labels = folder.parent / "labels" if folder.name == "images" else image.parent
    for name in inner if folder.name == "images" else []:
        labels = labels / name
    return labels / f"{image.stem}.txt"


def _masks(text: DataPath, frames: PictureFrames) -> dict[int, dict[int, Draw]]:
    if not text.is_file():
        return {}
    height, width = frames.size()
    found: dict[int, Draw] = {}
    for number, (_, values) in _lines(text).items():
        scaled = [value * (height if place % 2 else width) for place, value in enumerate(values)]
        found[number] = from_polygons([scaled], (height, width))
    return {0: found}


def _categories(text: DataPath, names: dict[int, str]) -> dict[int, str]:
    found = _lines(text) if text.is_file() else {}
    return {number: names.get(kind, str(kind)) for number, (kind, _) in found.items()}


def _lines(text: DataPath) -> dict[int, tuple[int, list[float]]]:
    """Class and corners of each line that is an outline, by its number."""
    found: dict[int, tuple[int, list[float]]] = {}
    for number, line in enumerate(read_lines(text), start=1):
        try:
            kind, *values = map(float, line.split())
        except ValueError as error:
            raise BrokenAnnotations(text, f"line {number} is {line!r:.60}, expected a class and numbers") from error
        if len(values) + 1 != _BOX_FIELDS:
            found[number] = int(kind), values
    return found
