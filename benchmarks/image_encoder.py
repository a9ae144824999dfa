"""The image encoder several ways: fast, readable, the official code's and in int8, on the same numbers.

    python benchmarks/image_encoder.py sam2.1_hiera_tiny:1024 sam2.1_hiera_base_plus:1024 --profile
    python benchmarks/image_encoder.py nano:384 sam2.1_hiera_tiny:512 sam2.1_hiera_tiny:1024 --against int8

Trunk, neck and the skips of the mask decoder, which the official predictor makes with them. One image at a time, all
ways in turns; speed does not depend on the weights, which are random. Of two differences from the fast way the first is
the largest of all numbers, the second the root mean square of the embedding's, relative. ``--profile`` adds what the
fast way spends its time on.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from masklet.baselines.official_sam2 import OfficialTracker
from masklet.evaluation.hardware import hardware
from masklet.model.config import CONFIGS, HieraConfig, with_image_size
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.int8 import to_int8
from masklet.model.sam2 import Sam2, build
from masklet.structures import FrameFeatures

Way = Callable[[Tensor], list[Tensor]]
SHOWN = 8  # operations of a profile


def maps(encode: Callable[[Tensor], FrameFeatures]) -> Way:
    """The stride-16 map and the skips of strides 8 and 4, which every way gives."""

    def way(image: Tensor) -> list[Tensor]:
        features = encode(image)
        return [features.embedding, features.skip8, features.skip4]

    return way


def official(model: Sam2) -> Way:
    """The official code's."""
    predictor = OfficialTracker(model).predictor
    return lambda image: predictor.forward_image(image)["backbone_fpn"][::-1]


WAYS: dict[str, Callable[[Sam2], Way]] = {
    "readable": lambda model: maps(model.encode_image),
    "official": official,
    "int8": lambda model: maps(FrameEncoder(to_int8(copy.deepcopy(model)))),
}


def measure(name: str, size: int, against: Sequence[str], repeats: int, clock: Callable[[], float]) -> FrameEncoder:
    """Print a row for each way."""
    torch.manual_seed(0)
    model = build(with_image_size(CONFIGS[name], size))
    encoder, image = FrameEncoder(model), torch.randn(1, 3, size, size)
    if not isinstance(model.config.trunk, HieraConfig):
        against = [way for way in against if way != "official"]  # knows nothing of it
    ways = {"fast": maps(encoder), **{way: WAYS[way](model) for way in against}}
    times: dict[str, list[float]] = {way: [] for way in ways}
    outputs: dict[str, list[Tensor]] = {}
    for _ in range(repeats + 1):
        for way, call in ways.items():
            began = clock()
            outputs[way] = call(image)
            times[way].append(clock() - began)
    fast = outputs["fast"]
    for way in against:
        ratios = [b / a for a, b in zip(times["fast"][1:], times[way][1:], strict=True)]
        apart = max(float((a - b).abs().max()) for a, b in zip(fast, outputs[way], strict=True))
        relative = float((fast[0] - outputs[way][0]).norm() / fast[0].norm())
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        usual = 1000 * statistics.median(times["fast"][1:])
        print(f"| {name} | {size} | {usual:.0f} | {way} | {spread} | {apart:.0e} | {relative:.1e} |", flush=True)
    return encoder


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
    parser.add_argument("--against", nargs="+", choices=tuple(WAYS), default=["readable", "official"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="one: processor time, else time on the clock")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    print(f"{hardware()}; factors: median (least to most)")
    print("| model | px | fast, ms | way | times as long | largest difference | relative |\n|" + "---|" * 7)
    with torch.inference_mode():
        for argument in options.models:
            name, size = argument.split(":")
            encoder = measure(name, int(size), options.against, options.repeats, clock)
            if options.profile:
                profile(encoder, int(size))


if __name__ == "__main__":
    main()
