"""Trains the toy recipe on so many processes and writes the losses: ``python two_processes.py OUT PROCESSES``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric
from toy_source import TOY

from masklet.training.loop import train
from tiny_model import SMALL_NANO, tiny_model


def work(fabric: Fabric, out: Path) -> None:
    torch.set_num_threads(1)
    losses = [r.loss for r in train(TOY, out, fabric=fabric, model=tiny_model(SMALL_NANO, seed=1))]
    if fabric.is_global_zero:
        (out / "losses.json").write_text(json.dumps(losses))


def main() -> None:
    out, processes = Path(sys.argv[1]), int(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    strategy = "ddp_find_unused_parameters_true" if processes > 1 else "auto"
    if processes > 1:
        from lightning_fabric.strategies.ddp import DDPStrategy

        strategy = DDPStrategy(start_method="spawn", process_group_backend="gloo", find_unused_parameters=True)
    fabric = Fabric(accelerator="cpu", devices=processes, strategy=strategy)
    fabric.launch(work, out)


if __name__ == "__main__":
    main()
