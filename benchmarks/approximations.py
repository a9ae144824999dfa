"""What each approximation costs and gains: J&F from the first mask against frames a second, variants in turns.

    python benchmarks/approximations.py --data DIR/videos/dev --out DIR --sizes 256 320 384 448

Every clip is tracked by all variants before the next one begins. The speed of a variant on a clip is that of its frames
from the tenth on, memory being full, over that of the default in the same turn: frames a second are those of the
default times the median of such ratios. On one thread that is processor time. Writes ``approximations.md``, which ends
with a table by clip, and ``approximations.png``, and what it found of every clip into ``clips/``: a run that was
interrupted goes on where it was. ``--clips`` names some of them; ``--choices windows`` tries that beside the defaults.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

import masklet
from masklet.data.open import open_dataset
from masklet.data.records import AnnotatedVideo
from masklet.evaluation.hardware import hardware
from masklet.evaluation.reports.comparison import sign_flip_p
from masklet.evaluation.scores import VosScore
from masklet.evaluation.vos import evaluate_vos
from masklet.inference.adapters import SessionTracker
from masklet.inference.options import SessionOptions
from masklet.video.atomic import write_bytes

FULL = 10  # frames until memory is full


@dataclass(frozen=True)
class Choice:
    """An approximation.

    Attributes:
        options: Of the session.
        precision: Of the model.
        around: Windows around small objects.
        everywhere: Try it at every size, not only at that of all choices.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    precision: str | None = None
    around: float | None = None
    everywhere: bool = False


CHOICES = {
    "": Choice(everywhere=True),
    "3 maps": Choice({"recent_maps": 3}),
    "1 map": Choice({"recent_maps": 1}),
    "pooled memory": Choice({"pool_memory": True}),
    "every 2nd frame": Choice({"encode_every": 2}),
    "every 3rd frame": Choice({"encode_every": 3}),
    "pooled, every 2nd": Choice({"pool_memory": True, "encode_every": 2}),
    "int8": Choice(precision="int8"),
    "windows": Choice(around=2.0, everywhere=True),
}


class Timed:
    """A tracker that notes how long each frame takes."""

    def __init__(self, tracker: SessionTracker, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tracker = tracker
        self.open, self.prompt = self._tracker.open, self._tracker.prompt
        self.seconds: list[float] = []

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, np.ndarray]]]:
        """As the tracker does."""
        frames = self._tracker.propagate(start=start, stop=stop, reverse=reverse)
        while True:
            began = self._clock()
            try:
                answer = next(frames)
            except StopIteration:
                return
            self.seconds.append(self._clock() - began)
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
    parser.add_argument("--choices", nargs="+", choices=[name for name in CHOICES if name], default=list(CHOICES))
    parser.add_argument("--clips", nargs="+", help="names of clips, or parts of them; by default all")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    variants = variants_of(options.model, options.sizes, options.all_at, options.choices, clock)
    (options.out / "clips").mkdir(parents=True, exist_ok=True)
    clips = []
    for video in open_dataset(options.data):
        if options.clips and not any(name in video.name for name in options.clips):
            continue
        track(video, variants, options.out / "clips" / f"{video.name}.json")
        print(video.name, *(f"{v.j_and_f[-1]:.3f}" for v in variants), flush=True)
        clips.append(video.name)
    text = table(variants, options.all_at) + "\n" + by_clip(variants, clips)
    (options.out / "approximations.md").write_text(text)
    plot(variants, options.all_at, options.out / "approximations.png")
    print(hardware(), text, sep="\n")


def variants_of(
    name: str, sizes: Sequence[int], all_at: int, choices: Sequence[str], clock: Callable[[], float]
) -> list[Variant]:
    """All that are compared: the default of every size, and the choices."""
    variants = []
    for size in sizes:
        asked = {shown: choice for shown, choice in CHOICES.items() if not shown or shown in choices}
        chosen = {shown: choice for shown, choice in asked.items() if choice.everywhere or size == all_at}
        precisions = {choice.precision for choice in chosen.values()}
        models = {one: masklet.load(name, image_size=size, precision=one) for one in precisions}
        for shown, choice in chosen.items():
            options = SessionOptions(**choice.options)
            tracker = SessionTracker(models[choice.precision], options, around=choice.around)
            variants.append(Variant(size, shown, Timed(tracker, clock), [], []))
    return variants


def track(video: AnnotatedVideo, variants: list[Variant], note: Path) -> None:
    """Track a clip with all variants, or read from its note what was found when that was done before."""
    names = [variant.name for variant in variants]
    found = json.loads(note.read_text()) if note.exists() else {}
    if list(found) != names:
        found = {}
        for variant in variants:
            variant.tracker.seconds.clear()
            j_and_f = mean_of(evaluate_vos(variant.tracker, [video], "mask"))
            found[variant.name] = [j_and_f, mean(variant.tracker.seconds[FULL:])]
        write_bytes(note, json.dumps(found, indent=1).encode())
    for variant in variants:
        for values, value in zip((variant.j_and_f, variant.frame), found[variant.name], strict=True):
            values.append(value)


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


def by_clip(variants: list[Variant], clips: list[str]) -> str:
    """Markdown: J&F, and in brackets the time of a frame in those of the default of the same size."""
    lines = ["| clip | " + " | ".join(v.name for v in variants) + " |", "|---" * (1 + len(variants)) + "|"]
    for k, clip in enumerate(clips):
        cells = []
        for v in variants:
            times = v.frame[k] / default(variants, v.size).frame[k]
            cells.append(f"{100 * v.j_and_f[k]:.1f}" + (f" ({times:.2f})" if v.choice else ""))
        lines.append(f"| {clip} | " + " | ".join(cells) + " |")
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
    for i, (rate, score, variant) in enumerate(points):
        axes.scatter(rate, score, color="tab:orange" if variant.choice else "tab:blue")
        near = sum(abs(other[0] / rate - 1) < 0.1 and abs(other[1] - score) < 0.3 for other in points[:i])
        side, where = ("right", (-5, -9 * near)) if near else ("left", (5, 4))
        axes.annotate(variant.name, (rate, score), where, textcoords="offset points", fontsize=8, ha=side)
    axes.margins(0.2, 0.08)
    axes.set_xlabel("frames a second")
    axes.set_ylabel("J&F from the first mask")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
