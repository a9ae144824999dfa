"""Trains toy runs on two processes: ``python two_processes.py OUT [--sharded] RUN[:STEPS] ...``, each in a folder."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from toy_source import STAGE, TOY, Discs

from masklet.training.loop import train
from masklet.training.lora import LoRA
from masklet.training.recipe import Recipe
from masklet.training.rollout import RolloutConfig
from masklet.training.sharding import sharded_fabric
from masklet.training.user import Interaction
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model

LOW_RANK = replace(TOY.optimisation, accumulate=2, lora=LoRA(rank=2))
RUNS: dict[str, Recipe] = {
    "whole": TOY,
    "to_one": TOY,
    "from_one": TOY,
    # Where both frames are prompted, the process without truth tracks the second one and reaches memory attention.
    "uneven": replace(
        TOY,
        sources=(Discs("clip", uneven=True),),
        stages=(replace(STAGE, clips=1.0, frames=2),),
        rollout=RolloutConfig(Interaction(mask=0.0, corrections=(0.0, 1.0))),
        steps=4,
    ),
    "low_rank": replace(TOY, optimisation=LOW_RANK, steps=3),
}


def run(name: str, out: Path, fabric: Fabric | None = None, steps: int | None = None) -> dict[str, list[float]]:
    """Losses and norms of the gradient, and the share of the weights that this process keeps."""
    model = tiny_model(SMALL_HIERA if name == "low_rank" else SMALL_NANO, seed=1)
    reports = list(islice(train(RUNS[name], out / name, fabric=fabric, model=model), steps))
    kept = [getattr(p, "to_local", lambda p=p: p)().numel() for p in model.parameters()]
    return {
        "losses": [r.loss for r in reports],
        "norms": [r.norm for r in reports],
        "kept": [sum(kept) / sum(p.numel() for p in model.parameters())],
    }


def work(fabric: Fabric, out: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
    for name, _, steps in (name.partition(":") for name in names):
        done = run(name, out, fabric, int(steps) if steps else None)
        if fabric.is_global_zero:
            (out / f"{name}.json").write_text(json.dumps(done))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--sharded", action="store_true")
    options = parser.parse_args()
    if options.sharded:
        fabric = sharded_fabric("cpu", 2)
    else:
        strategy = DDPStrategy(start_method="spawn", process_group_backend="gloo", find_unused_parameters=True)
        fabric = Fabric(accelerator="cpu", devices=2, strategy=strategy)
    fabric.launch(work, options.out, options.runs)


if __name__ == "__main__":
    main()
