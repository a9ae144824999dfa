"""Largest absolute difference to the official code, by model and family of arrays, and discrete choices that differ.

    python benchmarks/parity_report.py [--float64] [NAME ...]

Needs the reference arrays beside the checkout (``../shared/golden``); names such as ``sam2.1_hiera_tiny.512px``. With
``--float64`` our side is computed in double precision: what remains is the rounding of the reference.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from golden_run import compare, reference_files, tolerance

FAMILIES = {
    "features": ("image_embed", "high_res"),
    "image masks": ("image.",),
    "video masks": ("video.", "binarized.t", "absent.t"),
    "pointers": ("obj_ptr",),
    "memory maps": ("maskmem",),
    "scores": ("iou", "object_score_logits"),
}


def family(name: str) -> str:
    """Which family an array belongs to."""
    if name.endswith((".choice", ".ids")):
        return "choices"
    for suffix, title in (
        ("obj_ptr", "pointers"),
        ("maskmem", "memory maps"),
        ("logits", "scores"),
        (".iou", "scores"),
    ):
        if name.endswith(suffix):
            return title
    return next(title for title, starts in FAMILIES.items() if name.startswith(starts))


def main() -> None:
    """Print a Markdown table."""
    dtype = torch.float64 if "--float64" in sys.argv else torch.float32
    wanted = set(sys.argv[1:]) - {"--float64"}
    titles = list(FAMILIES)
    print("| model | arrays | " + " | ".join(titles) + " | choices that differ | beyond tolerance | s |")
    print("|" + "---|" * (len(titles) + 5))
    for path in reference_files():
        if wanted and path.stem not in wanted:
            continue
        began = time.perf_counter()
        differences = compare(path, dtype)
        worst = dict.fromkeys([*titles, "choices"], 0.0)
        for name, difference in differences.items():
            kind = family(name)
            worst[kind] = worst[kind] + difference if kind == "choices" else max(worst[kind], difference)
        beyond = sum(d > tolerance(n, dtype) for n, d in differences.items())
        cells = " | ".join(f"{worst[title]:.1e}" for title in titles)
        seconds = time.perf_counter() - began
        count = sum(not n.endswith(".choice") for n in differences)
        print(f"| {path.stem} | {count} | {cells} | {worst['choices']:.0f} | {beyond} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
