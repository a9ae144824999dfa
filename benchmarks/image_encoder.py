"""The image encoder three ways: fast, readable, and the official code's (not of nano), on the same numbers.

    python benchmarks/image_encoder.py nano:384 sam2.1_hiera_tiny:1024 sam2.1_hiera_base_plus:1024 --profile

Trunk, neck and the skips of the mask decoder, which the official predictor makes with them. One image at a time, the
three in turns; speed does not depend on the weights, which are random. ``--profile`` adds what the fast way spends its
time on.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from masklet.baselines.official_sam2 import OfficialTracker
from masklet.evaluation.hardware import hardware
from masklet.model.config import CONFIGS, HieraConfig, with_image_size
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.sam2 import Sam2, build

Way = Callable[[Tensor], list[Tensor]]
SHOWN = 8  # operations of a profile


def ways_of(model: Sam2) -> dict[str, Way]:
    """What is compared; each gives the stride-16 map and the skips of strides 8 and 4."""
    encoder = FrameEncoder(model)

    def fast(image: Tensor) -> list[Tensor]:
        features = encoder(image)
        return [features.embedding, features.skip8, features.skip4]

    def readable(image: Tensor) -> list[Tensor]:
        features = model.encode_image(image)
        return [features.embedding, features.skip8, features.skip4]

    if not isinstance(model.config.trunk, HieraConfig):
        return {"fast": fast, "readable": readable}
    predictor = OfficialTracker(model).predictor

    def official(image: Tensor) -> list[Tensor]:
        return predictor.forward_image(image)["backbone_fpn"][::-1]

    return {"fast": fast, "readable": readable, "official": official}


def measure(name: str, size: int, repeats: int, clock: Callable[[], float]) -> FrameEncoder:
    """Print one row."""
    torch.manual_seed(0)
    model = build(with_image_size(CONFIGS[name], size))
    ways, image = ways_of(model), torch.randn(1, 3, size, size)
    times: dict[str, list[float]] = {way: [] for way in ways}
    outputs: dict[str, list[Tensor]] = {}
    for _ in range(repeats + 1):
        for way, call in ways.items():
            began = clock()
            outputs[way] = call(image)
            times[way].append(clock() - began)
    cells = []
    for way in list(ways)[1:]:
        ratios = [b / a for a, b in zip(times["fast"][1:], times[way][1:], strict=True)]
        pairs = zip(outputs["fast"], outputs[way], strict=True)
        apart = max(float((a - b).abs().max()) for a, b in pairs)
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {apart:.0e}")
    fast = 1000 * statistics.median(times["fast"][1:])
    cells += [" | "] * (3 - len(ways))
    print(f"| {name} | {size} | {fast:.0f} | {' | '.join(cells)} |", flush=True)
    return FrameEncoder(model)


def profile(encoder: FrameEncoder, size: int) -> None:
    """Print shares of the time."""
    image = torch.randn(1, 3, size, size)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        encoder(image)
    found = sorted(profiler.key_averages(), key=lambda one: -one.self_cpu_time_total)
    total = sum(one.self_cpu_time_total for one in found)
    print(", ".join(f"{one.key} {100 * one.self_cpu_time_total / total:.0f} %" for one in found[:SHOWN]))


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="NAME:SIZE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="one: processor time, else time on the clock")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    print(f"{hardware()}; factors: median (least to most)")
    print("| model | px | fast, ms | readable / fast | apart | official / fast | apart |\n|" + "---|" * 7)
    with torch.inference_mode():
        for argument in options.models:
            name, size = argument.split(":")
            encoder = measure(name, int(size), options.repeats, clock)
            if options.profile:
                profile(encoder, int(size))


if __name__ == "__main__":
    main()
