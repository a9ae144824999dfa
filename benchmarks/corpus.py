"""Score a corpus of many small videos: memory while it grows, and a stop half-way.

    python benchmarks/corpus.py --videos 1000 --out runs/corpus

Makes the videos (a disc that moves over noise), scores a tracker on half of them, leaves, and goes on to the end. The
last line says whether the scores are those of a run that was not stopped.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from masklet.cli.subjects import SubjectChoice
from masklet.data.open import open_dataset
from masklet.evaluation.runs import Done, ThisProcess, run_units
from masklet.evaluation.suites import units_of
from masklet.evaluation.work import Work, gather

SIZE = (120, 160)


def make_video(folder: Path, seed: int, frames: int) -> None:
    """A disc of random size and motion over noise, with its masks; a video that is there is kept."""
    done = folder / "masks" / f"{frames - 1:05d}.png"
    if done.exists():
        return
    rng = np.random.default_rng(seed)
    start, step, radius = rng.uniform(30, 90, 2), rng.uniform(-3, 3, 2), rng.uniform(10, 25)
    ground = rng.integers(0, 120, (*SIZE, 3), np.uint8)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for name in ("frames", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for t in range(frames):
        at = start + t * step
        mask = (x - at[0]) ** 2 + (y - at[1]) ** 2 < radius**2
        image = np.where(mask[..., None], np.uint8([200, 180, 60]), ground)
        cv2.imwrite(str(folder / "frames" / f"{t:05d}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{t:05d}.png"), mask.astype(np.uint8))


def resident() -> float:
    """MiB of this process in memory now (Linux)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def run(work: Work, folder: Path, every: int, stop: int | None = None) -> tuple[list[Done], list[tuple[int, float]]]:
    """Do units (up to ``stop`` of them) and note the memory now and then."""
    units = units_of(("mask",), open_dataset(work.data))
    results, memory = [], []
    for done in islice(run_units(units, work, folder, {"corpus": True}, ThisProcess()), stop):
        results.append(done)
        if len(results) % every == 0:
            memory.append((len(results), resident()))
    return results, memory


def main(arguments: list[str] | None = None) -> None:
    """Make, score, stop, go on, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus and of the runs")
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=8, help="frames of each video")
    parser.add_argument("--tracker", default="copy-first", help="as masklet eval takes it")
    options = parser.parse_args(arguments)
    for index in range(options.videos):
        make_video(options.out / "videos" / f"{index:05d}", index, options.frames)
    work, every = Work(str(options.out / "videos"), SubjectChoice(options.tracker)), max(1, options.videos // 10)
    run(work, options.out / "stopped", every, options.videos // 2)
    results, memory = run(work, options.out / "stopped", every)
    whole, _ = run(work, options.out / "whole", every)
    print("| videos scored | MiB |\n|---|---|")
    print("\n".join(f"| {count} | {value:.1f} |" for count, value in memory))
    scores = [gather((done.unit, done.result) for done in each).vos["mask"] for each in (results, whole)]
    print(f"\nJ {scores[0].j:.4f}, F {scores[0].f:.4f} over {len(scores[0].sequences)} videos")
    print("stopped half-way and resumed: the same scores" if scores[0] == scores[1] else "THE SCORES DIFFER")


if __name__ == "__main__":
    main()
