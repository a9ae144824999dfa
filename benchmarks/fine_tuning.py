"""Fine-tune nano on a few images of something new, and score it on images that were held back.

    python benchmarks/fine_tuning.py --images DIR --masks DIR --out runs/cells --first 20

Masks are black and white pictures with the names of the images; each white part of at least 0.2 % is an object. The
first images are trained on with one command, ``masklet train images``, the others are its ``--validate``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from masklet.masks.label_png import encode_label_png
from masklet.video.atomic import write_bytes
from masklet.video.images import read_image

LEAST = 0.002
MOST_OBJECTS = 255


def label_map(mask: np.ndarray) -> np.ndarray:
    """Number the white parts, the largest first."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((mask > 127).astype(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = [int(i) + 1 for i in np.argsort(-areas) if areas[i] >= LEAST * mask.size][:MOST_OBJECTS]
    table = np.zeros(count, np.uint8)
    table[kept] = np.arange(1, len(kept) + 1)
    return table[parts]


def write_split(images: Path, masks: Path, out: Path, first: int) -> tuple[int, int]:
    """Write ``train`` and ``held_back``, each with images/ and masks/; gives the number of objects of each."""
    files = sorted(path for path in images.iterdir() if path.is_file())
    if len(files) <= first:
        raise SystemExit(f"{images} holds {len(files)} images, expected more than the {first} to train on")
    objects = [0, 0]
    for number, file in enumerate(files):
        mask = cv2.imread(str(masks / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise SystemExit(f"{masks / f'{file.stem}.png'} cannot be read: each image needs its mask")
        labels = label_map(mask)
        part = out / ("train" if number < first else "held_back")
        objects[number >= first] += int(labels.max())
        picture = cv2.imencode(".png", read_image(file)[..., ::-1])[1].tobytes()
        write_bytes(part / "images" / f"{file.stem}.png", picture)
        write_bytes(part / "masks" / f"{file.stem}.png", encode_label_png(labels))
    return objects[0], objects[1]


def main() -> None:
    """Split, and run the one command."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=Path, required=True)
    arguments.add_argument("--masks", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--first", type=int, default=20, help="images to train on")
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--set", action="append", default=[], help="passed on")
    given = arguments.parse_args()
    trained, held = write_split(given.images, given.masks, given.out, given.first)
    print(f"{trained} objects to train on, {held} held back", flush=True)
    command = [sys.executable, "-m", "masklet.cli.main", "train", "images", "--data", str(given.out / "train")]
    command += ["--validate", str(given.out / "held_back"), "-o", str(given.out / "run")]
    command += ["--processes", str(given.processes), *(f"--set={change}" for change in given.set)]
    print(" ".join(command[2:]), flush=True)
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes, scoring included")


if __name__ == "__main__":
    main()
