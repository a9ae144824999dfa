"""Seconds of each part of a tracked frame, and frames a second, for models and input sizes.

    python benchmarks/speed.py nano:384 sam2.1_hiera_tiny:512 sam2.1_hiera_tiny:1024

Speed does not depend on the weights: official models run with random ones. One object, a full memory (all recent maps
and pointers), median over frames after a warm-up; decoding of the video is not counted.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import torch

import masklet
from masklet.evaluation.hardware import hardware
from masklet.model.config import CONFIGS, with_image_size
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.memory_bank import MemoryBank
from masklet.model.memory_reader import MemoryReader
from masklet.model.sam2 import build, no_prompt
from masklet.model.streamed_mask_decoder import StreamedMaskDecoder
from masklet.model.streamed_memory_encoder import StreamedMemoryEncoder


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def measure(name: str, size: int | None) -> None:
    """Print one row."""
    config = with_image_size(CONFIGS[name], size)
    model = build(config)
    size = config.image_size
    repeats = 15 if name == "nano" else 3 if size > 600 else 5
    rng = np.random.default_rng(0)
    clip = [rng.integers(0, 255, (480, 854, 3), dtype=np.uint8) for _ in range(4)]
    encoder, reader = FrameEncoder(model), MemoryReader(model)  # as sessions on a CPU do
    decoder, remember = StreamedMaskDecoder(model.mask_decoder), StreamedMemoryEncoder(model.memory_encoder)
    with torch.inference_mode():
        image = torch.randn(1, 3, size, size)
        features = encoder(image)
        bank = MemoryBank(model.limits)
        answer = model.adopt_mask(features, (torch.rand(1, 1, size, size) > 0.5).float())
        entry = model.encode_memory(features, answer)
        warm = model.limits.recent_pointers + 1
        for t in range(warm):
            bank.write(t, entry, prompted=t == 0)
        frames = count(warm)

        def attend() -> torch.Tensor:
            """A frame later: one map is new, and so is the embedding."""
            t = next(frames)
            assert entry.features is not None
            read = reader.condition(replace(features, embedding=features.embedding.clone()), [bank.read(t)])
            bank.write(t, replace(entry, features=entry.features.clone()), prompted=False)
            return read

        conditioned, asked = attend(), no_prompt(1, image.device)
        parts = {
            "image encoder": seconds(lambda: encoder(image), repeats),
            "memory attention": seconds(attend, repeats),
            "mask decoder": seconds(lambda: model.decode(conditioned, features, asked, decoder=decoder), repeats),
            "memory encoder": seconds(lambda: model.encode_memory(features, answer, encoder=remember), repeats),
        }
    session = masklet.VideoSession(None, model)
    session.step(clip[0])
    session.prompt(0, 1, points=[(400, 240)])
    fill = warm + 2 if name == "nano" else model.limits.recent_maps + 2
    for t in range(1, fill):
        session.step(clip[t % 4])
    times = []
    for t in range(repeats):
        began = time.perf_counter()
        _ = session.step(clip[t % 4])[1].mask
        times.append(time.perf_counter() - began)
    frame = statistics.median(times)
    cells = " | ".join(f"{1000 * v:.0f}" for v in parts.values())
    print(f"| {name} | {size} | {cells} | {1000 * frame:.0f} | {1 / frame:.2f} |", flush=True)


def main() -> None:
    """Measure what the command line names."""
    print(f"{hardware()}; milliseconds")
    print("| model | px | image encoder | memory attention | mask decoder | memory encoder | frame | frames/s |")
    print("|" + "---|" * 8)
    for argument in sys.argv[1:] or ["nano:384", "nano:256", "sam2.1_hiera_tiny:512", "sam2.1_hiera_tiny:1024"]:
        name, _, size = argument.partition(":")
        measure(name, int(size) if size else None)


if __name__ == "__main__":
    main()
