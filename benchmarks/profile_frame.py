"""Where a tracked frame's time goes: parts of the model with their arithmetic, and operations of the whole.

    python benchmarks/profile_frame.py sam2.1_hiera_tiny:1024 sam2.1_hiera_tiny:512:4

MODEL:PX or MODEL:PX:OBJECTS, with random weights, a made-up clip and full memory. The floor of a part is its
multiply-adds at the best rate of matrix products (1024 x 1024 x 1024) before and after; time is that of the processor
on one thread, else on the clock. Operations are those of ``torch.profiler`` on one more frame.

    python benchmarks/profile_frame.py sam2.1_hiera_tiny:1024 --frames 9 --against readable

Instead: mask decoder and memory encoder beside their readable forms, every call both ways in turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peer_work import WARM, frames_of, multiply_adds, points_on

from masklet.evaluation.hardware import hardware
from masklet.inference.engine import Engine
from masklet.inference.session import VideoSession
from masklet.model.config import CONFIGS, with_image_size
from masklet.model.sam2 import Sam2, build

PARTS: dict[str, tuple[type, str]] = {
    "image encoder": (Engine, "encoded"),
    "memory attention": (Engine, "_conditioned"),
    "mask decoder": (Sam2, "predict"),
    "memory encoder": (Sam2, "encode_memory"),
}
READABLE: dict[str, dict[str, Any]] = {"mask decoder": {"decoder": None}, "memory encoder": {"encoder": None}}
"""What asks for the readable form of a part."""
SHOWN = 12  # operations of a profile
Clock = Callable[[], float]


@contextmanager
def tracked(model: Sam2, objects: int, frames: int) -> Iterator[Iterator[Any]]:
    """The run of a session through a made-up clip, when its memory is full."""
    clip = frames_of(None, WARM + frames + 3)
    with VideoSession(clip, model) as session:
        for i, centre in enumerate(points_on(clip[0], objects)):
            session.prompt(0, i + 1, points=centre[None])
        run = session.propagate(start=0)
        for _ in range(WARM + 1):
            next(run)
        yield run


@contextmanager
def watched(measure: Callable[[str, Callable[[], Any]], Any]) -> Iterator[None]:
    """Let ``measure`` run every call of a part."""

    def through(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: measure(part, lambda: call(*args, **kwargs))

    with ExitStack() as stack:
        for part, (owner, name) in PARTS.items():
            stack.enter_context(patch.object(owner, name, through(part, getattr(owner, name))))
        yield


def best_rate(clock: Clock, n: int = 1024) -> float:
    """GFLOP a second of matrix products into a kept output."""
    a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
    times = []
    for _ in range(20):
        began = clock()
        torch.mm(a, b, out=c)
        times.append(clock() - began)
    return 2 * n**3 / min(times) / 1e9


def measure(model: Sam2, objects: int, frames: int, clock: Clock) -> tuple[str, str]:
    """The table of parts, and the shares of operations."""
    rates = [best_rate(clock)]
    seconds: dict[str, list[float]] = {"frame": [], **{part: [] for part in PARTS}}
    work: dict[str, float] = defaultdict(float)
    with tracked(model, objects, frames) as run:

        def timed(part: str, call: Callable[[], Any]) -> Any:
            began = clock()
            answer = call()
            seconds[part][-1] += clock() - began
            return answer

        def counted(part: str, call: Callable[[], Any]) -> Any:
            answer: list[Any] = []
            work[part] += multiply_adds(lambda: answer.append(call()))
            return answer[0]

        with watched(timed):
            for _ in range(frames):
                for times in seconds.values():
                    times.append(0.0)
                timed("frame", lambda: next(run).masks)
        with watched(counted):
            next(run)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
            _ = next(run).masks
    work["frame"] = sum(work.values())
    rate = max(*rates, best_rate(clock))
    return parts_table({part: median(times) for part, times in seconds.items()}, work, rate), operations(profiler)


def against_readable(model: Sam2, objects: int, frames: int, clock: Clock) -> str:
    """Markdown: time of the readable form over that of the fast one, for parts and for what a frame would take."""
    seconds: dict[str, list[list[float]]] = {part: [] for part in READABLE}  # a frame's: fast, readable
    difference = dict.fromkeys(READABLE, 0.0)

    def both(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            ways, answers = (kwargs, kwargs | READABLE[part]), {}
            for i in (0, 1) if len(seconds[part]) % 2 else (1, 0):
                began = clock()
                answers[i] = call(*args, **ways[i])
                seconds[part][-1][i] += clock() - began
            difference[part] = max(difference[part], furthest(answers[0], answers[1]))
            return answers[0]

        return run

    with tracked(model, objects, frames) as run, ExitStack() as stack:
        for part in READABLE:
            owner, name = PARTS[part]
            stack.enter_context(patch.object(owner, name, both(part, getattr(owner, name))))
        rows = []
        for _ in range(frames):
            for times in seconds.values():
                times.append([0.0, 0.0])
            began = clock()
            _ = next(run).masks
            rows.append(clock() - began - sum(times[-1][1] for times in seconds.values()))
    saved = [sum(readable - fast for fast, readable in each) for each in zip(*seconds.values(), strict=True)]
    ratios = {part: [readable / fast for fast, readable in times] for part, times in seconds.items()}
    ratios["frame"] = [(frame + more) / frame for frame, more in zip(rows, saved, strict=True)]
    lines = ["| part | readable / fast | largest difference |", "|---|---|---|"]
    for part, each in ratios.items():
        found = f"{difference[part]:.0e}" if part in difference else ""
        lines.append(f"| {part} | {median(each):.2f} ({min(each):.2f} to {max(each):.2f}) | {found} |")
    return "\n".join(lines)


def furthest(a: Any, b: Any) -> float:
    """Largest difference between the tensors of two answers, over the largest number of each tensor."""
    pairs = [(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True) if isinstance(x, torch.Tensor)]
    return max(float((x - y).abs().max() / y.abs().max()) for x, y in pairs)


def parts_table(seconds: dict[str, float], work: dict[str, float], rate: float) -> str:
    """Markdown; what is no part of the model is the rest."""
    lines = ["| part | ms | of the frame | GFLOP | of the floor |", "|---|---|---|---|---|"]
    rest = seconds["frame"] - sum(seconds[part] for part in PARTS)
    for part, took in [*((part, seconds[part]) for part in PARTS), ("rest", rest), ("frame", seconds["frame"])]:
        floor = f"{work[part]:.1f} | {100 * work[part] / rate / took:.0f} %" if part in work else " | "
        lines.append(f"| {part} | {1000 * took:.0f} | {100 * took / seconds['frame']:.0f} % | {floor} |")
    return "\n".join([*lines, f"\nBest rate of matrix products: {rate:.0f} GFLOP/s"])


def operations(profiler: torch.profiler.profile) -> str:
    """The largest shares of the time."""
    found = sorted(profiler.key_averages(), key=lambda one: -one.self_cpu_time_total)
    total = sum(one.self_cpu_time_total for one in found)
    return ", ".join(f"{one.key} {100 * one.self_cpu_time_total / total:.0f} %" for one in found[:SHOWN])


def main(arguments: list[str] | None = None) -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL:PX[:OBJECTS]")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--against", choices=["readable"])
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    print(hardware())
    for argument in options.models:
        name, size, *objects = argument.split(":")
        torch.manual_seed(0)
        model = build(with_image_size(CONFIGS[name], int(size)))
        given = model, int(objects[0]) if objects else 1, options.frames, clock
        print(f"\n{argument}\n", *([against_readable(*given)] if options.against else measure(*given)), sep="\n")


if __name__ == "__main__":
    main()
