"""Does a model do better on what it was trained on? Where it does not, more data is not what it lacks.

    python benchmarks/train_dev_gap.py --data DIR --model nano --image-size 384

A row for each set of photos and for the clips, with scores on the training split and on what was held back.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping
from pathlib import Path

import masklet
from masklet.data.plain_folders import open_plain_folders
from masklet.data.regions import still_regions
from masklet.data.stills import SETS, dev_stills, train_stills
from masklet.evaluation.images import ImageScore, evaluate_images
from masklet.evaluation.vos import evaluate_vos
from masklet.inference.adapters import PredictorSegmenter, SessionTracker
from masklet.model.sam2 import Sam2

SPLITS = {"trained on": ("train", train_stills), "held back": ("dev", dev_stills)}


def image_scores(model: Sam2, root: Path, count: int) -> dict[tuple[str, str], ImageScore]:
    """Scores by set and split, on so many photos of each (always the same), up to 8 regions a photo."""
    segmenter, scores = PredictorSegmenter(model), {}
    for name in SETS:
        for split, (_, stills) in SPLITS.items():
            found = [still for still in stills(root) if still.set == name]
            random.Random(0).shuffle(found)
            if len(found) >= 10:
                samples = still_regions(found[:count])
                scores[name, split] = evaluate_images(segmenter, samples, logits=lambda: segmenter.logits)
    return scores


def video_scores(model: Sam2, root: Path, count: int | None) -> dict[str, float]:
    """Mean J over clips by split, tracked from the first-frame mask."""
    return {
        split: evaluate_vos(SessionTracker(model), list(open_plain_folders(root / "videos", folder))[:count]).j
        for split, (folder, _) in SPLITS.items()
    }


def table(images: Mapping[tuple[str, str], ImageScore], videos: Mapping[str, float]) -> str:
    """Everything as Markdown."""
    lines = ["| | split | masks | 1 click | 3 clicks | box |", "|---|---|---|---|---|---|"]
    for (name, split), score in images.items():
        values = " | ".join(f"{value:.3f}" for value in (score.after_clicks[1], score.after_clicks[3], score.box))
        lines.append(f"| {name}, mean IoU | {split} | {len(score.masks)} | {values} |")
    lines += [f"| clips, J from the mask | {split} | | {j:.3f} | | |" for split, j in videos.items()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/, images/ and splits.json")
    parser.add_argument("--model", default="nano", help="name or path of a checkpoint")
    parser.add_argument("--image-size", type=int, help="side of the model's square input in pixels")
    parser.add_argument("--images", type=int, default=60, help="photos of each set and split")
    parser.add_argument("--videos", type=int, help="clips of each split")
    options = parser.parse_args(arguments)
    model = masklet.load(options.model, image_size=options.image_size)
    images = image_scores(model, options.data, options.images)
    print(table(images, video_scores(model, options.data, options.videos)))


if __name__ == "__main__":
    main()
