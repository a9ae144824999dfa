"""Two light trunks beside each other: parameters, counted arithmetic, and time forward and backward.

    python benchmarks/trunks.py

EfficientNet-Lite0 (of ``nano``) and the small Hiera of ``masklet ablate encoder``, as they stand in ``nano``: four
images, one thread, the median of the repeats, which take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from masklet.model.config import NANO, EfficientNetConfig
from masklet.model.sam2 import build
from masklet.training.ablation import SMALL_HIERA

TRUNKS = {"EfficientNet-Lite0": EfficientNetConfig(), "Hiera, width 32": SMALL_HIERA}
IMAGES = 4


def gflop(trunk: nn.Module, size: int) -> float:
    """Arithmetic of one image forward; a multiplication and an addition are two."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        trunk(torch.zeros(1, 3, size, size))
    return counter.get_total_flops() / 1e9


def seconds(trunk: nn.Module, size: int) -> float:
    """Wall time of one batch forward and backward."""
    images = torch.randn(IMAGES, 3, size, size)
    start = time.perf_counter()
    torch.stack([each.square().mean() for each in trunk(images)]).sum().backward()
    trunk.zero_grad()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 384], help="sides of the input in pixels")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    trunks = {name: build(replace(NANO, trunk=one)).image_encoder.trunk.train() for name, one in TRUNKS.items()}
    times = {(name, size): [] for name in trunks for size in options.sizes}
    for _ in range(options.repeats + 1):
        for name, size in times:
            times[name, size].append(seconds(trunks[name], size))
    print("| trunk | M parameters | px | GFLOP forward | s, 4 images forward and backward |\n|---|---|---|---|---|")
    for (name, size), taken in times.items():
        parameters = sum(p.numel() for p in trunks[name].parameters()) / 1e6
        middle = statistics.median(taken[1:])  # the first one warms up
        print(f"| {name} | {parameters:.2f} | {size} | {gflop(trunks[name], size):.2f} | {middle:.2f} |")


if __name__ == "__main__":
    main()
