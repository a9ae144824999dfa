"""Small annotated videos as folders, and their masks: what tests of evaluation score."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from masklet.data.open import open_dataset
from masklet.data.records import VideoDataset
from masklet.masks.label_png import encode_label_png
from masklet.masks.palette import davis_palette

SIZE = (40, 60)


def square(x: int, object_id: int = 1, labels: np.ndarray | None = None) -> np.ndarray:
    """A label map with a square of 10 x 10 pixels that begins at column ``x``."""
    labels = np.zeros(SIZE, np.uint8) if labels is None else labels.copy()
    labels[10:20, x : x + 10] = object_id
    return labels


NOTHING = np.zeros(SIZE, np.uint8)


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def put_labels(path: Path, labels: np.ndarray) -> Path:
    """An indexed PNG."""
    return put(path, encode_label_png(labels, davis_palette()))


def put_grey(path: Path, values: np.ndarray) -> Path:
    """A grey (8 or 16 bits) or colour PNG."""
    return put(path, cv2.imencode(".png", values)[1].tobytes())


def _put_pictures(folder: Path, count: int) -> None:
    for frame in range(count):
        put_grey(folder / f"{frame:05d}.png", np.zeros((*SIZE, 3), np.uint8))


def palette_set(root: Path, videos: dict[str, list[np.ndarray | None]]) -> VideoDataset:
    """Videos with label maps; None: the frame has none."""
    for name, maps in videos.items():
        _put_pictures(root / "JPEGImages" / name, len(maps))
        (root / "Annotations" / name).mkdir(parents=True)
        for frame, labels in enumerate(maps):
            if labels is not None:
                put_labels(root / "Annotations" / name / f"{frame:05d}.png", labels)
    return open_dataset(root, "mose")


def sa_v_set(root: Path, videos: dict[str, dict[int, list[np.ndarray]]], step: int = 4) -> VideoDataset:
    """Videos with a binary mask an object in every fourth frame."""
    for name, objects in videos.items():
        count = max(map(len, objects.values()))
        _put_pictures(root / "JPEGImages_24fps" / name, step * (count - 1) + 1)
        put_objects(root / "Annotations_6fps" / name, objects, step)
    return open_dataset(root, "sa_v")


def put_objects(folder: Path, objects: dict[int, list[np.ndarray]], step: int = 4) -> None:
    """Binary masks (0 and 255) as ``<object>/<frame>.png``."""
    for object_id, masks in objects.items():
        for place, mask in enumerate(masks):
            put_grey(folder / f"{object_id:03d}" / f"{step * place:05d}.png", (mask > 0).astype(np.uint8) * 255)
