"""Loss and IoU of training runs by step, as a picture.

    python benchmarks/curves.py runs/fifth --out curves.png

Reads the TensorBoard curves of each run: images and clips apart, points as logged and their running mean.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

matplotlib.use("agg")
from matplotlib import pyplot

PANELS = {"loss": "loss", "iou": "IoU, images after the last click, clips as tracked"}
KINDS = {"image": "tab:blue", "clip": "tab:orange"}
SMOOTH = 15  # points


def running_mean(values: np.ndarray) -> np.ndarray:
    """Mean over ``SMOOTH`` points around each, over fewer at the ends."""
    window = np.ones(min(SMOOTH, len(values)))
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def main() -> None:
    """Draw a row of panels a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders that masklet train wrote")
    parser.add_argument("--out", type=Path, required=True, help="the picture")
    options = parser.parse_args()
    shape = len(options.runs), len(PANELS)
    figure, axes = pyplot.subplots(*shape, figsize=(11, 3.2 * shape[0]), squeeze=False, layout="constrained")
    for row, run in zip(axes, options.runs, strict=True):
        events = EventAccumulator(str(run / "curves"), size_guidance={"scalars": 0})
        events.Reload()
        known = events.Tags()["scalars"]
        for axis, (name, title) in zip(row, PANELS.items(), strict=True):
            for kind, colour in KINDS.items():
                if f"{kind}/{name}" not in known:
                    continue
                points = events.Scalars(f"{kind}/{name}")
                steps, values = np.array([p.step for p in points]), np.array([p.value for p in points])
                axis.plot(steps, values, ".", markersize=2, alpha=0.4, color=colour)
                axis.plot(steps, running_mean(values), color=colour, label=f"{kind}s")
            axis.set(title=f"{run.name}: {title}", xlabel="step")
            axis.grid(alpha=0.3)
            axis.legend()
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
