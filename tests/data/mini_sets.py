"""A tiny made-up data root in the layout of the real one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from masklet.masks.label_png import write_label_png

PALETTE = np.random.default_rng(7).integers(0, 256, (256, 3), dtype=np.uint8)


def _photo(path: Path, labels: np.ndarray, seed: int) -> None:
    colours = np.random.default_rng(seed).integers(30, 226, (256, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), colours[labels], [cv2.IMWRITE_JPEG_QUALITY, 98])


def _labels(path: Path, labels: np.ndarray, palette: np.ndarray | None = PALETTE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_label_png(path, labels, palette)


def bsds_map() -> np.ndarray:
    """Sky (1), ground (2), and a disc (3) in the middle that touches no border."""
    labels = np.full((80, 120), 1, np.uint8)
    labels[50:] = 2
    cv2.circle(labels, (60, 40), 22, 3, -1)
    return labels


def ccp_map() -> np.ndarray:
    """A person of hair (19), skin (41), coat (13), two boots (7) and a bag (2)."""
    labels = np.zeros((128, 84), np.uint8)
    labels[10:18, 34:50] = 19
    labels[18:30, 34:50] = 41
    labels[30:90, 26:58] = 13
    labels[90:118, 30:38] = 7
    labels[90:118, 46:54] = 7
    labels[60:80, 62:74] = 2
    return labels


def camvid_map() -> np.ndarray:
    """Road (4), sky (1), two cars (9), and a speck of sign (7) below 0.3 %."""
    labels = np.full((90, 120), 1, np.uint8)
    labels[45:] = 4
    labels[50:70, 10:40] = 9
    labels[50:75, 70:105] = 9
    labels[10:13, 10:13] = 7
    return labels


def write_root(root: Path) -> Path:
    """Write the sets, two clips and the splits; gives the root."""
    images = root / "images"
    for part, names in {"train": ["11", "12"], "val": ["21"], "test": ["31"]}.items():
        for seed, name in enumerate(names):
            folder = images / "bsds500" / part
            _photo(folder / "images" / f"{name}.jpg", bsds_map(), seed)
            _labels(folder / "labels" / f"{name}_a0.png", bsds_map())
            coarse = np.minimum(bsds_map(), 2)
            coarse[bsds_map() == 3] = 4
            _labels(folder / "labels" / f"{name}_a1.png", coarse)
    for seed, name in enumerate(["0001", "0002", "0900"]):
        _photo(images / "ccp" / "images" / f"{name}.jpg", ccp_map(), 10 + seed)
        _labels(images / "ccp" / "labels" / f"{name}.png", ccp_map())
    for seed, name in enumerate(["a_1", "a_2"]):
        _photo(images / "camvid" / "images" / f"{name}.jpg", camvid_map(), 20 + seed)
        _labels(images / "camvid" / "labels" / f"{name}.png", camvid_map(), None)
    for split, name, count, known in (
        ("train", "walk", 6, range(6)),
        ("train", "sparse", 9, (2, 6)),
        ("dev", "d", 2, [0]),
    ):
        for index in range(count):
            labels = np.zeros((60, 100), np.uint8)
            labels[15:45, 20 + 4 * index : 45 + 4 * index] = 1
            folder = root / "videos" / split / name
            _photo(folder / "frames" / f"{index:05}.jpg", labels, 30)
            if index in known:
                _labels(folder / "masks" / f"{index:05}.png", labels)
    splits = {
        "videos": {"train": ["walk", "sparse"], "dev": ["d"]},
        "images": {
            "bsds500": {"train": ["train", "val"], "dev": ["test"]},
            "ccp": {"train": ["0001", "0002"], "dev": ["0900"]},
            "camvid": {"train": "all"},
        },
    }
    (root / "splits.json").write_text(json.dumps(splits))
    return root
