"""Draw a contact sheet of training samples with the outlines of their masks, and time the sampling."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from masklet.data.real_clips import RealClipConfig
from masklet.data.sampling import TrainingData, batches

COLOURS = [(255, 60, 60), (60, 255, 60), (80, 120, 255), (255, 220, 0), (255, 0, 255), (0, 255, 255), (255, 140, 0)]


def outlined(image: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Draw the outline of each mask in its own colour."""
    image = image.copy()
    for number, mask in enumerate(masks):
        contours, _ = cv2.findContours(np.ascontiguousarray(mask), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, contours, -1, COLOURS[number % len(COLOURS)], 1)
    return image


def image_rows(data: TrainingData, seed: int, count: int, size: int) -> np.ndarray:
    """One row an image: the outlines, then each mask over the darkened image."""
    drawn = next(batches(data, "image", seed, batch=count, size=size))
    rows = []
    for image, masks in zip(drawn["images"], drawn["masks"], strict=True):
        cells = [outlined(image, masks)]
        cells += [np.where(mask[..., None] > 0, image, image // 4) for mask in masks]
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def clip_rows(data: TrainingData, seed: int, count: int, size: int, frames: int, share: float) -> np.ndarray:
    """One row a clip: each frame plain and with outlines; a grey bar marks frames without labels."""
    stream = batches(data, "clip", seed, batch=count, size=size, frames=frames, real=RealClipConfig(share=share))
    drawn = next(stream)
    rows = []
    for pictures, masks, labelled in zip(drawn["frames"], drawn["masks"], drawn["labelled"], strict=True):
        cells = []
        for picture, mask, known in zip(pictures, masks, labelled, strict=True):
            marked = outlined(picture, mask) if known else picture.copy()
            if not known:
                marked[:6] = 128
            cells += [picture, marked]
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def main() -> None:
    """Write the sheets and print the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="data root: the folder with splits.json, images and videos")
    parser.add_argument("--out", type=Path, default=Path("samples"), help="folder of the sheets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--size", type=int, default=256, help="side of the samples; sheets are shrunk to 1400 px")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--timed", type=int, default=100, help="samples to time of each kind")
    args = parser.parse_args()
    cv2.setNumThreads(0)
    data = TrainingData.open(args.root)
    args.out.mkdir(parents=True, exist_ok=True)
    sheets = {
        "images": image_rows(data, args.seed, args.rows, args.size),
        "made_up": clip_rows(data, args.seed, args.rows, args.size, args.frames, 0.0),
        "real": clip_rows(data, args.seed, args.rows, args.size, args.frames, 1.0),
    }
    for name, sheet in sheets.items():
        scale = min(1.0, 1400 / sheet.shape[1])
        sheet = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(args.out / f"{name}.png"), sheet[..., ::-1])
    for kind in ("image", "clip"):
        stream = batches(data, kind, args.seed + 1, batch=1, size=args.size, frames=args.frames)
        for _ in range(args.timed):  # fill the memory first
            next(stream)
        stream = batches(data, kind, args.seed + 1, batch=1, size=args.size, frames=args.frames)
        begin = time.process_time()
        for _ in range(args.timed):
            next(stream)
        spent = 1000 * (time.process_time() - begin) / args.timed
        print(f"{kind}: {spent:.1f} ms of processor time a sample")


if __name__ == "__main__":
    main()
