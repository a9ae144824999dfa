"""What each approximation costs and gains: J&F from the first mask against frames a second, variants in turns.

    python benchmarks/approximations.py --data DIR/videos/dev --out DIR --sizes 256 320 384 448

Every clip is tracked by all variants before the next one begins. The speed of a variant on a clip is that of its frames
from the tenth on, memory being full, over that of the default in the same turn: frames a second are those of the
default times the median of such ratios. Writes ``approximations.md`` and ``approximations.png``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

import masklet
from masklet.data.open import open_dataset
from masklet.evaluation.hardware import hardware
from masklet.evaluation.reports.comparison import sign_flip_p
from masklet.evaluation.scores import VosScore
from masklet.evaluation.vos import evaluate_vos
from masklet.inference.adapters import SessionTracker
from masklet.inference.options import SessionOptions

FULL = 10  # frames until memory is full
CHOICES: dict[str, dict[str, Any]] = {
    "": {},
    "3 maps": {"recent_maps": 3},
    "1 map": {"recent_maps": 1},
    "pooled memory": {"pool_memory": True},
    "every 2nd frame": {"encode_every": 2},
    "every 3rd frame": {"encode_every": 3},
    "pooled, every 2nd": {"pool_memory": True, "encode_every": 2},
}


class Timed:
    """A tracker that notes how long each frame takes."""

    def __init__(self, model: masklet.Sam2, options: SessionOptions) -> None:
        self._tracker = SessionTracker(model, options)
        self.open, self.prompt = self._tracker.open, self._tracker.prompt
        self.seconds: list[float] = []

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, np.ndarray]]]:
        """As the tracker does."""
        frames = self._tracker.propagate(start=start, stop=stop, reverse=reverse)
        while True:
            began = time.perf_counter()
            try:
                answer = next(frames)
            except StopIteration:
                return
            self.seconds.append(time.perf_counter() - began)
            yield answer


@dataclass(frozen=True)
class Variant:
    """A size and a choice, and what was found of it by clip."""

    size: int
    choice: str
    tracker: Timed
    j_and_f: list[float]
    frame: list[float]

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"{self.size} px" + (f", {self.choice}" if self.choice else "")


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="videos with masks")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 320, 384, 448])
    parser.add_argument("--all-at", type=int, default=384, help="the size at which all choices are tried")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    variants = []
    for size in options.sizes:
        model = masklet.load(options.model, image_size=size)
        for choice, changes in CHOICES.items():
            if not choice or size == options.all_at:
                variants.append(Variant(size, choice, Timed(model, SessionOptions(**changes)), [], []))
    for video in open_dataset(options.data):
        for variant in variants:
            variant.tracker.seconds.clear()
            variant.j_and_f.append(mean_of(evaluate_vos(variant.tracker, [video], "mask")))
            variant.frame.append(mean(variant.tracker.seconds[FULL:]))
        print(video.name, *(f"{v.j_and_f[-1]:.3f}" for v in variants), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    text = table(variants, options.all_at)
    (options.out / "approximations.md").write_text(text)
    plot(variants, options.all_at, options.out / "approximations.png")
    print(hardware(), text, sep="\n")


def mean_of(score: VosScore) -> float:
    """J&F."""
    return (score.j + score.f) / 2


def default(variants: list[Variant], size: int) -> Variant:
    """What the others are compared with."""
    return next(v for v in variants if v.size == size and not v.choice)


def speed(variant: Variant, base: Variant) -> tuple[float, float]:
    """Times the speed of the default, and frames a second."""
    ratio = median(b / a for a, b in zip(variant.frame, base.frame, strict=True))
    return ratio, ratio / median(base.frame)


def table(variants: list[Variant], size: int) -> str:
    """Markdown."""
    base = default(variants, size)
    lines = ["| | J&F | change | p | times as fast | frames/s |", "|---|---|---|---|---|---|"]
    for variant in variants:
        differences = 100 * (np.array(variant.j_and_f) - np.array(base.j_and_f))
        change = "" if variant is base else f"{differences.mean():+.1f}"
        p = "" if variant is base else f"{sign_flip_p(differences):.2f}"
        ratio, rate = speed(variant, base)
        shown = [f"{100 * np.mean(variant.j_and_f):.1f}", change, p, f"{ratio:.2f}", f"{rate:.1f}"]
        lines.append(f"| {variant.name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def plot(variants: list[Variant], size: int, path: Path) -> None:
    """J&F over frames a second; what nothing beats in both is on the line."""
    from matplotlib.figure import Figure

    base = default(variants, size)
    points = [(speed(v, base)[1], 100 * float(np.mean(v.j_and_f)), v) for v in variants]
    best = sorted(p for p in points if not any(q[0] > p[0] and q[1] > p[1] for q in points))
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([p[0] for p in best], [p[1] for p in best], color="0.6")
    for rate, score, variant in points:
        axes.scatter(rate, score, color="tab:orange" if variant.choice else "tab:blue")
        axes.annotate(variant.name, (rate, score), xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel("frames a second")
    axes.set_ylabel("J&F from the first mask")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
