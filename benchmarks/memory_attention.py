"""Memory attention of a tracked frame three ways: fast, readable, and the official code's, on the same numbers.

    python benchmarks/memory_attention.py nano:384:1 nano:384:4 sam2.1_hiera_tiny:512:1 sam2.1_hiera_tiny:1024:1

Model, input size, objects. Memory is full and gets a new map with every frame, so that the fast way keeps the keys of
the others. Processor time on one thread, the three in turns; speed does not depend on the weights, which are random.
The readable form takes objects as sessions gave them to it: in one batch up to 512 pixels, else one by one. The
official code (PyPI ``sam2``) takes them one by one, and gets its memory as tokens, which the others make.

    python benchmarks/memory_attention.py --split nano:384:1 sam2.1_hiera_tiny:512:1 sam2.1_hiera_tiny:1024:1

Instead: kept keys over the split rotary code, each made to serve whatever the processor and the number of maps: for
cross-attention of one layer, for memory attention and for a whole frame (encoded, read, decoded, remembered).
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from unittest.mock import patch

import torch
from torch import Tensor

from masklet.baselines.official_sam2 import OfficialTracker
from masklet.evaluation.hardware import hardware
from masklet.inference.engine import BATCHED_SIDE
from masklet.inference.track import stack_selections
from masklet.model import split_rotary
from masklet.model.config import CONFIGS, with_image_size
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.memory_bank import MemoryBank
from masklet.model.memory_reader import PIECE, Attend, MemoryReader
from masklet.model.position import sine_map
from masklet.model.sam2 import Sam2, build, no_prompt
from masklet.structures import FrameFeatures, MemoryEntry, Prompts, Selection

Result = TypeVar("Result")
Way = Callable[[FrameFeatures, list[Selection]], Tensor]


def readable(model: Sam2, features: FrameFeatures, selections: list[Selection]) -> Tensor:
    """Our readable form."""
    if model.config.image_size // 16 <= BATCHED_SIDE:
        return model.condition(features, stack_selections(selections))
    return torch.cat([model.condition(features, one) for one in selections])


def official(model: Sam2, theirs: torch.nn.Module, features: FrameFeatures, selections: list[Selection]) -> Tensor:
    """The official module."""
    embedding, rows = features.embedding, []
    _, c, h, w = embedding.shape
    x, code = (part.flatten(2).permute(2, 0, 1) for part in (embedding, sine_map(h, w, c)))
    for selection in selections:
        memory = model.memory_tokens(selection)
        values, codes = memory.values.transpose(0, 1), memory.codes.transpose(0, 1)
        y = theirs(curr=[x], curr_pos=[code], memory=values, memory_pos=codes, num_obj_ptr_tokens=memory.pointers)
        rows.append(y.permute(1, 2, 0).unflatten(2, (h, w)))
    return torch.cat(rows)


def entry(model: Sam2) -> MemoryEntry:
    """A random memory as sessions keep it."""
    side, config = model.config.image_size // 16, model.config
    return MemoryEntry(torch.randn(1, config.memory_width, side, side).bfloat16(), torch.randn(1, config.width))


def measure(name: str, size: int, objects: int) -> None:
    """Print one row."""
    model = build(with_image_size(CONFIGS[name], size))
    side, width = size // 16, model.config.width
    reader = MemoryReader(model)
    ways: dict[str, Way] = {"fast": reader.condition, "readable": partial(readable, model)}
    if name != "nano":
        ways["official"] = partial(official, model, OfficialTracker(model).predictor.memory_attention)
    banks = [MemoryBank(model.limits) for _ in range(objects)]
    warm, repeats = model.limits.recent_pointers + 1, 15 if size < 500 else 7 if size < 1000 else 3
    for t in range(warm):
        for bank in banks:
            bank.write(t, entry(model), prompted=t == 0)
    times: dict[str, list[float]] = {way: [] for way in ways}
    difference = 0.0
    for t in range(warm, warm + repeats + 1):
        features = FrameFeatures(torch.randn(1, width, side, side), torch.empty(0), torch.empty(0))
        selections, outputs = [bank.read(t) for bank in banks], []
        for way, call in ways.items():
            began = time.process_time()
            outputs.append(call(features, selections))
            times[way].append(time.process_time() - began)
        difference = max(difference, *(float((outputs[0] - other).abs().max()) for other in outputs[1:]))
        for bank in banks:
            bank.write(t, entry(model), prompted=False)
    medians = {way: statistics.median(each[1:]) for way, each in times.items()}
    ratios = {way: [b / a for a, b in zip(times["fast"][1:], times[way][1:], strict=True)] for way in ways}
    cells = []
    for way in ("readable", "official"):
        known = way in ratios
        spread = f"{min(ratios[way]):.2f}-{max(ratios[way]):.2f}" if known else ""
        cells.append(f"{medians[way] / medians['fast']:.2f} ({spread})" if known else "-")
    print(
        f"| {name} | {size} | {objects} | {1000 * medians['fast']:.0f} | {' | '.join(cells)} | {difference:.0e} | "
        f"{reader.nbytes / 2**20:.0f} |",
        flush=True,
    )


def compare_split(name: str, size: int, objects: int) -> None:
    """Print one row: kept keys over the split rotary code."""
    model = build(with_image_size(CONFIGS[name], size))
    side, width = size // 16, model.config.width
    readers = MemoryReader(model), MemoryReader(model)
    readers[0].splits, readers[1].splits = False, True
    banks = [MemoryBank(model.limits) for _ in range(objects)]
    warm, repeats = model.limits.recent_pointers + 1, 9 if size < 500 else 7 if size < 1000 else 3
    for t in range(warm):
        for bank in banks:
            bank.write(t, entry(model), prompted=t == 0)
    image, prompts = torch.randn(1, 3, size, size), no_prompt(objects, model.device)
    encoder = FrameEncoder(model)
    rest, _ = timed(remember, model, encoder, image, prompts)
    layers: list[tuple[float, float]] = []
    whole: list[tuple[float, float]] = []
    difference = 0.0
    for t in range(warm, warm + repeats + 1):
        features = FrameFeatures(torch.randn(1, width, side, side), torch.empty(0), torch.empty(0))
        selections, query = [bank.read(t) for bank in banks], torch.randn(side * side, width) / 8
        (kept, one), (split, other) = (timed(reader.condition, features, selections) for reader in readers)
        whole.append((kept, split))
        difference = max(difference, float((one - other).abs().max()))
        attends = [reader._attention(reader._begin(features.embedding)[0], selections[0])(0) for reader in readers]
        (kept, _), (split, _) = (timed(pieces, attend, query) for attend in attends)
        layers.append((kept, split))
        for bank in banks:
            bank.write(t, entry(model), prompted=False)
    rows = layers[1:], whole[1:], [(a + rest, b + rest) for a, b in whole[1:]]
    cells = " | ".join(spread([a / b for a, b in row]) for row in rows)
    print(f"| {name} | {size} | {objects} | {cells} | {difference:.0e} | {readers[0].nbytes / 2**20:.0f} |", flush=True)


def remember(model: Sam2, encoder: FrameEncoder, image: Tensor, prompts: Prompts) -> None:
    """What a frame costs besides memory attention."""
    features = encoder(image)
    model.encode_memory(features, model.predict(features, Selection(), prompts))


def pieces(attend: Attend, query: Tensor) -> None:
    """A layer's attention to memory as the reader asks for it."""
    for piece in query.split(PIECE):
        attend(piece)


def timed(call: Callable[..., Result], *arguments: Any) -> tuple[float, Result]:
    """Processor seconds, and what the call gave."""
    began = time.process_time()
    result = call(*arguments)
    return time.process_time() - began, result


def spread(ratios: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def main() -> None:
    """Measure what the command line names."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{hardware()}; {torch.backends.cpu.get_cpu_capability()}; factors: median (least to most)")
    if sys.argv[1:2] == ["--split"]:
        print("| model | px | objects | kept keys / split: a layer | memory attention | frame | difference | MiB |")
        print("|" + "---|" * 8)
        with torch.inference_mode(), patch.object(split_rotary, "PAYS", 0.0):
            for argument in sys.argv[2:]:
                name, size, objects = argument.split(":")
                compare_split(name, int(size), int(objects))
        return
    print(
        "| model | px | objects | fast, ms | readable / fast | official / fast | largest difference | kept keys, MiB |"
    )
    print("|" + "---|" * 8)
    with torch.inference_mode():
        for argument in sys.argv[1:] or ["nano:384:1", "nano:384:4", "sam2.1_hiera_tiny:512:1"]:
            name, size, objects = argument.split(":")
            measure(name, int(size), int(objects))


if __name__ == "__main__":
    main()
