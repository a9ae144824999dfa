"""Draw a contact sheet of training samples with the outlines of their masks, and time the sampling."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from masklet.data.real_clips import RealClipConfig
from masklet.data.sampling import TrainingData, clip_sample, image_sample

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
    rows = []
    for number in range(count):
        drawn = image_sample(np.random.default_rng([seed, number]), data.stills, size)
        image, masks = drawn["image"], drawn["masks"]
        cells = [outlined(image, masks)]
        cells += [np.where(mask[..., None] > 0, image, image // 4) for mask in masks]
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def clip_rows(data: TrainingData, seed: int, count: int, size: int, frames: int, share: float) -> np.ndarray:
    """One row a clip: each frame plain and with outlines; a grey bar marks frames without labels."""
    rows = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        clip = clip_sample(rng, data.stills, data.clips, size, frames, real=RealClipConfig(share=share))
        cells = []
        for picture, mask, known in zip(clip.frames, clip.masks, clip.labelled, strict=True):
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
        begin = 0.0
        for _ in range(2):  # the first round fills the memory
            begin = time.process_time()
            for number in range(args.timed):
                rng = np.random.default_rng([args.seed + 1, number])
                if kind == "image":
                    image_sample(rng, data.stills, args.size)
                else:
                    clip_sample(rng, data.stills, data.clips, args.size, args.frames)
        print(f"{kind}: {1000 * (time.process_time() - begin) / args.timed:.1f} ms of processor time a sample")


if __name__ == "__main__":
    main()
