"""What training takes beside what is said beforehand: memory, seconds a step, samples a second, waiting for data.

    python benchmarks/training_cost.py --data DIR

A row a size, kind of sample and number of ``--workers``, each measured in a process of its own: times on the first
steps of the recipe, memory on steps whose user does the most that it may. ``planned`` is what ``masklet train`` prints;
``peak`` is all that the process held at once, ``above start`` without what it held before it made a model.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch

from masklet.training.batches import make_batch
from masklet.training.estimate import GIB, Hardware, plan
from masklet.training.logbook import Logbook  # noqa: F401 - its libraries are part of what a run starts with
from masklet.training.loop import prepared, train
from masklet.training.recipe import Recipe, override
from masklet.training.recipes.nano import LARGE, SMALL, nano
from masklet.training.sources import Blobs

SIZES = {SMALL.size: SMALL, LARGE.size: LARGE}
COLUMNS = (
    ("size", "size", "{}"),
    ("kind", "kind", "{}"),
    ("batch", "batch", "{}"),
    ("workers", "workers", "{}"),
    ("planned GiB", "planned", "{:.2f}"),
    ("peak GiB", "peak", "{:.2f}"),
    ("without libraries", "planned_above", "{:.2f}"),
    ("above start", "above", "{:.2f}"),
    ("s a step", "wall", "{:.2f}"),
    ("CPU s a step", "seconds", "{:.2f}"),
    ("samples/s", "rate", "{:.2f}"),
    ("s waiting", "waited", "{:.3f}"),
    ("s to make a batch", "making", "{:.3f}"),
)


def recipe(data: str | None, size: int, kind: str, steps: int, changes: list[str]) -> Recipe:
    """``nano`` on one kind of sample at one size; made-up samples without data."""
    made = nano(data or "")
    if data is None:
        made = replace(made, sources=(Blobs("image"), Blobs("clip")))
    stage = replace(SIZES[size], clips=float(kind == "clip"))
    made = replace(made, stages=(stage,), steps=steps, minutes=None)
    return override(made, dict(change.split("=", 1) for change in changes))


def measure(made: Recipe, kind: str, workers: int) -> dict[str, Any]:
    """Train some steps in this process; the first is not counted in times."""
    stage = made.stages[0]
    make_batch(made, stage, 0)  # opens files
    began = time.process_time()
    for step in range(3):
        make_batch(made, stage, step)
    making = (time.process_time() - began) / 3
    planned = plan(made, prepared(made), Hardware(half=False))
    start = resident()
    reports, ends = [], []
    with tempfile.TemporaryDirectory() as folder:
        for report in train(made, folder, workers=workers):
            reports.append(report)
            ends.append(time.perf_counter())
    wall = statistics.median(after - before for before, after in pairwise(ends))
    user = made.rollout.interaction
    clicks = max(n for n, chance in enumerate(user.corrections) if chance)
    user = replace(user, mask=0.0, correct=1.0, corrections=(*(0.0,) * clicks, 1.0))
    heavy = replace(made, rollout=replace(made.rollout, interaction=user), steps=3)
    with tempfile.TemporaryDirectory() as folder:
        list(train(heavy, folder))
    return {
        "size": stage.size,
        "kind": kind,
        "batch": stage.batch(kind),
        "workers": workers,
        "planned": planned.memory / GIB,
        "peak": peak() / GIB,
        "planned_above": (planned.weights + planned.activations) / GIB,
        "above": (peak() - start) / GIB,
        "wall": wall,
        "seconds": statistics.median(r.seconds for r in reports[1:]),
        "rate": stage.batch(kind) / wall,
        "waited": statistics.mean(r.waited for r in reports[1:]),
        "making": making,
    }


def resident() -> float:
    """Bytes of this process in memory now (Linux)."""
    with open("/proc/self/status") as file:
        return next(1024.0 * int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def peak() -> float:
    """Most bytes of this process in memory at once so far (Linux)."""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(title for title, _, _ in COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(form.format(row[key]) for _, key, form in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="images/, videos/train and splits.json; without: made-up samples")
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--kinds", nargs="+", choices=("image", "clip"), default=["image", "clip"])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--set", action="append", default=[], help="as of masklet train")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        torch.set_num_threads(options.threads)
        (size,), (kind,), (workers,) = options.sizes, options.kinds, options.workers
        made = recipe(options.data, size, kind, options.steps, options.set)
        print(json.dumps(measure(made, kind, workers)))
        return
    common = [
        "--steps",
        options.steps,
        "--threads",
        options.threads,
        *(["--data", options.data] if options.data else []),
    ]
    common += [part for change in options.set for part in ("--set", change)]
    rows = []
    for size in options.sizes:
        for kind in options.kinds:
            for workers in options.workers:
                one = ["--one", "--sizes", size, "--kinds", kind, "--workers", workers, *common]
                command = [sys.executable, __file__, *map(str, one)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                rows.append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{len(rows)}: {rows[-1]}", file=sys.stderr)
    print(table(rows))


if __name__ == "__main__":
    main()
