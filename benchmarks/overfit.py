"""Learn a few clips by heart: whether the whole of training (rollout, losses, memory, optimiser) can fit what it sees.

    python benchmarks/overfit.py --data DIR --out runs/overfit --minutes 15

Writes a few clips of two moving objects, made out of the images of DIR, trains on these alone, and scores J and F on
them through an ordinary session from the first-frame mask, before and after.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

import masklet
from masklet.data.augmentation import FLIP_ONLY
from masklet.data.made_up_set import write_made_up_set
from masklet.data.open import open_dataset
from masklet.data.stills import StillStore, train_stills
from masklet.evaluation.scores import VosScore
from masklet.evaluation.vos import evaluate_vos
from masklet.inference.adapters import SessionTracker
from masklet.training.logbook import Logbook
from masklet.training.loop import train
from masklet.training.recipe import Recipe, Stage
from masklet.training.recipes import RECIPES
from masklet.training.sources import Clips


def score(weights: str, clips: Path, size: int) -> VosScore:
    """J and F on the clips."""
    return evaluate_vos(SessionTracker(masklet.load(weights, image_size=size)), open_dataset(str(clips)), "mask")


def recipe(clips: Path, count: int, frames: int, size: int, minutes: float) -> Recipe:
    """All clips in each step, as they are; first-frame masks alone."""
    base = RECIPES["videos"](str(clips))
    interaction = replace(base.rollout.interaction, mask=1.0, correct=0.0, forget=0.0)
    return replace(
        base,
        name="overfit",
        stages=(Stage(clips=1.0, size=size, videos=count, frames=frames, objects=2),),
        sources=(Clips(str(clips), augmentation=replace(FLIP_ONLY, flip=0.0), reverse=0.0),),
        rollout=replace(base.rollout, interaction=interaction),
        optimisation=replace(base.optimisation, rate=1e-3, encoder_rate=3e-4, average=0.98),
        minutes=minutes,
    )


def main() -> None:
    """Make the clips, score, train, score."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", required=True, help="folder with images/ and splits.json")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--clips", type=int, default=5)
    arguments.add_argument("--frames", type=int, default=8)
    arguments.add_argument("--size", type=int, default=256)
    arguments.add_argument("--minutes", type=float, default=15.0, help="processor time")
    arguments.add_argument("--threads", type=int, default=2)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    clips = given.out / "clips"
    stills = StillStore(train_stills(given.data))
    for _ in write_made_up_set(stills, clips, given.clips, frames=given.frames, size=given.size, seed=1):
        pass
    before = score("nano", clips, given.size)
    print(f"before: J {before.j:.3f} F {before.f:.3f} J&F {(before.j + before.f) / 2:.3f}", flush=True)
    run = given.out / "run"
    with Logbook(run) as book:
        for report in train(recipe(clips, given.clips, given.frames, given.size, given.minutes), run):
            for line in book.add(report):
                print(line, flush=True)
    after = score(str(run / "weights.safetensors"), clips, given.size)
    for sequence in after.sequences:
        print(f"{sequence.name}: J {sequence.j:.3f} F {sequence.f:.3f}")
    print(f"after {report.step} steps: J {after.j:.3f} F {after.f:.3f} J&F {(after.j + after.f) / 2:.3f}")


if __name__ == "__main__":
    main()
