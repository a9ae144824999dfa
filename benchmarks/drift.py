"""How much of a model's error is drift: J as tracked, by quarter of the clip, and J one step from the true mask.

    python benchmarks/drift.py --data DIR/videos/dev --model nano

Tracked: from the first mask, as a session does. One step: each frame reads the true mask of the frame before and
nothing else, so that no error can build up. Means over clips of one object.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch

import masklet
from masklet.data.open import open_dataset
from masklet.data.records import AnnotatedVideo
from masklet.evaluation.metrics import jaccard
from masklet.inference.options import SessionOptions

QUARTERS = 4
LIGHT = SessionOptions(keep_results=False, undo_levels=0)


def tracked(video: AnnotatedVideo, model: masklet.Sam2) -> list[float]:
    """J of every frame after the first, as a session tracks it."""
    truth = masks_of(video)
    with masklet.VideoSession(video.images, model, options=LIGHT) as session:
        session.prompt(0, 1, mask=truth[0])
        return [float(jaccard(r[1].mask, truth[r.frame])) for r in session.propagate() if r.frame]


def one_step(video: AnnotatedVideo, model: masklet.Sam2) -> Iterator[float]:
    """J of every frame after the first, each tracked from the true mask of the one before."""
    truth = masks_of(video)
    for t in range(1, video.frame_count):
        if not truth[t - 1].any():
            continue
        with masklet.VideoSession([video.image(t - 1), video.image(t)], model, options=LIGHT) as session:
            session.prompt(0, 1, mask=truth[t - 1])
            *_, last = session.propagate()
            yield float(jaccard(last[1].mask, truth[t]))


def masks_of(video: AnnotatedVideo) -> list[np.ndarray]:
    """The object on every frame."""
    absent = np.zeros(video.size, bool)
    return [video.masks(t).get(1, absent) for t in range(video.frame_count)]


def main() -> None:
    """Print a row a clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="videos with masks on every frame")
    parser.add_argument("--model", default="nano", help="as masklet.load takes it")
    parser.add_argument("--image-size", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = masklet.load(options.model, image_size=options.image_size)
    rows = []
    print("| clip | tracked | by quarter | one step |\n|---|---|---|---|")
    for video in open_dataset(options.data):
        if set(video.first_frames()) != {1} or len(video.annotated) != video.frame_count:
            continue
        values = tracked(video, model)
        quarters = [float(np.mean(part)) for part in np.array_split(values, QUARTERS)]
        rows.append([float(np.mean(values)), *quarters, float(np.mean(list(one_step(video, model))))])
        print(line(video.name, rows[-1]), flush=True)
    print(line(f"mean of {len(rows)}", np.mean(rows, axis=0).tolist()))


def line(name: str, values: list[float]) -> str:
    """A row of the table."""
    shown = [f"{value:.3f}".lstrip("0") for value in values]
    return f"| {name} | {shown[0]} | {', '.join(shown[1:-1])} | {shown[-1]} |"


if __name__ == "__main__":
    main()
