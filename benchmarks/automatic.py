"""Automatic masks of one image: ours on the whole grid, ours after a coarse grid, and the official generator.

    python benchmarks/automatic.py --model sam2.1_hiera_tiny --image-size 512 --grid 16 --turns 3
    python benchmarks/automatic.py --model nano --threads 2 --image FILE FILE FILE

Every run is a process of its own, the ways in turns: processor time and time by the clock of ``generate``, and peak of
the process. The clock says something only where nothing else runs. Official models have random weights (the same for
both, made livelier, as what they draw is noise), and thresholds at which a third of the candidates have the IoU and
half of these the stability. ``nano`` has its own weights and thresholds, and no official peer. Found again: masks of
the whole grid that a way has with a mask IoU of 0.75.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco

import masklet
from masklet.checkpoints.convert import from_official, to_official
from masklet.evaluation.hardware import hardware
from masklet.inference.automatic import AutomaticMasks, AutomaticOptions
from masklet.inference.crops import points_of
from masklet.inference.image import ImagePredictor
from masklet.model.config import CONFIGS, with_image_size
from masklet.model.sam2 import Sam2, build
from masklet.video.images import read_image

WAYS = ("full", "adaptive", "official")
LIVELIER = {
    "conv_s": 0.1,
    "iou_prediction_head.layers.2.w": 10,
    "image_to_token.out_proj.w": 6,
    "output_upscaling.3": 3,
}
FOUND = 0.75

Thresholds = dict[str, float]


def weights_of(name: str, size: int) -> dict[str, torch.Tensor]:
    """Random weights with official names, masks of which differ from click to click."""
    torch.manual_seed(0)
    state = to_official(build(with_image_size(CONFIGS[name], size)).state_dict())
    for key in state:
        for part, factor in LIVELIER.items():
            if key.startswith("sam_mask_decoder") and part in key:
                state[key] = state[key] * factor
    return state


def our_model(name: str, size: int | None) -> Sam2:
    """Ours, with random weights where the model is an official one."""
    if name == "nano":
        return masklet.load(name, image_size=size)
    size = size or CONFIGS[name].image_size
    model = build(with_image_size(CONFIGS[name], size))
    model.load_state_dict(from_official(weights_of(name, size)))
    return model


def thresholds_of(model: Sam2, picture: np.ndarray) -> Thresholds:
    """Those at which filters of random weights have something to do."""
    predictor = ImagePredictor(model, resample="official_image")
    predictor.set_image(picture)
    points = points_of(8) * picture.shape[1::-1]
    logits, iou = (torch.cat(x) for x in zip(*predictor.predict_many(points=points), strict=True))
    least, inside = float(iou.quantile(2 / 3)), float(np.quantile(logits.numpy(), 0.95))
    kept = logits[iou > least].flatten(1)
    offset = 0.1 * float(kept.std())
    stability = (kept > inside + offset).sum(1) / (kept > inside - offset).sum(1)
    half = float(stability.nan_to_num(0).quantile(0.5))
    return {"least_iou": least, "mask_threshold": inside, "stability_offset": offset, "least_stability": half}


def ours(args: argparse.Namespace, picture: np.ndarray, thresholds: Thresholds) -> Callable[[], list[dict[str, Any]]]:
    """One of our two ways, giving run lengths."""
    coarse = max(1, args.grid // 2) if args.only == "adaptive" else None
    model = our_model(args.model, args.image_size)
    options = AutomaticOptions.suited(model, grids=(args.grid,), coarse=coarse, resample="official_image", **thresholds)
    generator = AutomaticMasks(model, options)
    return lambda: [dict(one.rle) for one in generator.generate(picture)]


def official(args: argparse.Namespace, picture: np.ndarray, thresholds: Thresholds) -> Callable[[], list[Any]]:
    """The official way."""
    from torchvision_stand_in import stand_in

    stand_in()
    from sam2.automatic_mask_generator import (  # pyright: ignore[reportMissingImports]
        SAM2AutomaticMaskGenerator,
    )
    from sam2.build_sam import build_sam2  # pyright: ignore[reportMissingImports]

    name, size = args.model, args.image_size or 1024
    family, _, kind = name.partition("_hiera_")
    letter = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}[kind]
    model = build_sam2(
        f"configs/{family}/{family}_hiera_{letter}.yaml",
        device="cpu",
        hydra_overrides_extra=[f"++model.image_size={size}"],
    )
    model.load_state_dict(weights_of(name, size))
    generator = SAM2AutomaticMaskGenerator(
        model,
        points_per_side=args.grid,
        pred_iou_thresh=thresholds["least_iou"],
        mask_threshold=thresholds["mask_threshold"],
        stability_score_offset=thresholds["stability_offset"],
        stability_score_thresh=thresholds["least_stability"],
        output_mode="coco_rle",
    )
    generator.predictor._bb_feat_sizes = [(size // stride, size // stride) for stride in (4, 8, 16)]  # fixed to 1024
    return lambda: [one["segmentation"] for one in generator.generate(picture)]


def worker(args: argparse.Namespace) -> None:
    """Measure one way in this process, and print what came out."""
    picture, thresholds = read_image(args.image[0]), json.loads(args.thresholds)
    run = (official if args.only == "official" else ours)(args, picture, thresholds)
    before, clock = time.process_time(), time.perf_counter()
    masks = run()
    seconds, wall = time.process_time() - before, time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "wall": wall, "peak": peak, "masks": masks}))


def turn(args: argparse.Namespace, image: Path, way: str, thresholds: Thresholds) -> dict[str, Any]:
    """Run a way in a process of its own."""
    command = [sys.executable, __file__, "--only", way, "--model", args.model, "--grid", str(args.grid)]
    command += ["--threads", str(args.threads), "--image", str(image), "--thresholds", json.dumps(thresholds)]
    if args.image_size:
        command += ["--image-size", str(args.image_size)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def share_found(of: list[Any], among: list[Any]) -> float:
    """Share of masks that are among others."""
    if not of or not among:
        return float(not of)
    return float((np.asarray(coco.iou(among, of, [0] * len(of))).max(0) >= FOUND).mean())


def main() -> None:
    """Print a row for each image and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="sam2.1_hiera_tiny", choices=["nano", *CONFIGS])
    parser.add_argument("--image", type=Path, nargs="+", help="images; else a made-up one of 960 x 540 pixels")
    parser.add_argument("--image-size", type=int, help="side of the model's input")
    parser.add_argument("--grid", type=int, default=32, help="clicks a side; adaptive begins with half of it")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--thresholds", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.only:
        worker(args)
        return
    print(hardware())
    for image in args.image or [made_up_image()]:
        compare(args, image)


def compare(args: argparse.Namespace, image: Path) -> None:
    """Print the rows of an image."""
    random = args.model != "nano"
    thresholds = thresholds_of(our_model(args.model, args.image_size), read_image(image)) if random else {}
    ways = [way for way in WAYS if random or way != "official"]
    print(image, thresholds)
    runs = [{way: turn(args, image, way, thresholds) for way in ways} for _ in range(args.turns)]
    for way in ways:
        factors = [one[way]["seconds"] / one["full"]["seconds"] for one in runs]
        measured = ("seconds", "wall", "peak")
        seconds, wall, peak = (statistics.median(one[way][what] for one in runs) for what in measured)
        masks, full = runs[0][way]["masks"], runs[0]["full"]["masks"]
        print(
            f"{way}: {seconds:.2f} s, {wall:.2f} s by the clock, times full {statistics.median(factors):.2f} "
            f"({min(factors):.2f} to {max(factors):.2f}), peak {peak:.0f} MB, {len(masks)} masks, "
            f"equal to full: {masks == full}, found again {share_found(full, masks):.2f}"
        )


def made_up_image() -> Path:
    """Write the frame that other benchmarks use."""
    import tempfile

    import cv2
    from peer_work import frames_of

    path = Path(tempfile.mkdtemp()) / "made_up.png"
    cv2.imwrite(str(path), frames_of(None, 1)[0])
    return path


if __name__ == "__main__":
    main()
