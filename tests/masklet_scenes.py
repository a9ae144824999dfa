"""A made-up video with automatic masklets: a square that moves, its double, the still ground, something short."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from masklet.video.annotation_json import SaVJsonWriter

SIZE, FRAMES = (72, 128), 9
SQUARE, DOUBLE, GROUND, SHORT = 1, 2, 3, 4


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    ground, thing = (cv2.GaussianBlur(rng.integers(0, 255, size, np.uint8), (5, 5), 0) for size in (SIZE, (24, 24)))
    made = []
    for t in range(FRAMES):
        grey = ground.copy()
        grey[20:44, 10 + 3 * t : 34 + 3 * t] = thing
        made.append(np.repeat(grey[..., None], 3, -1))
    return made


def masks(t: int) -> dict[int, np.ndarray]:
    made = {i: np.zeros(SIZE, bool) for i in (SQUARE, DOUBLE, GROUND)}
    made[SQUARE][20:44, 10 + 3 * t : 34 + 3 * t] = True
    made[DOUBLE][20:44, 10 + 3 * t : 36 + 3 * t] = True
    made[GROUND][48:] = True
    if t == 0:
        made[SHORT] = np.zeros(SIZE, bool)
        made[SHORT][4:12, 90:100] = True
    return made


STABILITY = {SQUARE: 0.95, DOUBLE: 0.7, GROUND: 0.9, SHORT: 0.9}


def write_masklets(folder: Path, name: str = "clip", *, stability: bool = True) -> Path:
    path = folder / f"{name}_auto.json"
    with SaVJsonWriter(path, SIZE, video_id=name, frame_count=FRAMES) as writer:
        for t in range(0, FRAMES, 4):
            shown = masks(t)
            writer.add(t, shown, stability={i: STABILITY[i] for i in shown} if stability else None)
    return path


def write_pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for t, picture in enumerate(pictures()):
        cv2.imwrite(str(folder / f"{t:05d}.png"), picture)


def content(path: Path) -> dict:
    return json.loads(path.read_text())
