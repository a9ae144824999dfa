"""J and F beside the public evaluators on the same masks: largest differences, and time in one run.

    python benchmarks/metric_parity.py --data DIR --davis2017 CLONE

DIR holds videos as ``NAME/masks/*.png``; without it only random masks are compared. CLONE is a checkout of
davisvideochallenge/davis2017-evaluation; PyPI's vos-benchmark is used where it is installed (``pip install
vos-benchmark``, or --no-deps beside scikit-image). What is missing is left out of the tables.

Times are of one thread and of scoring alone, no file is read in them: ours and vos-benchmark begin with label maps,
davis2017 with masks already cut out. The judges take turns, repeat by repeat; a ratio is the median over repeats.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from masklet.evaluation.metrics import boundary_f, frame_scores, jaccard
from masklet.evaluation.statistics import decay, recall
from masklet.masks.label_png import read_label_png

SIZES = ((1, 1), (1, 9), (7, 1), (2, 2), (5, 64), (33, 65), (64, 63), (97, 128), (120, 213), (151, 129), (300, 400))
SHAPES = ("noise", "sparse", "dense", "blob", "line", "pixel", "border", "empty", "full")


class Case(NamedTuple):
    """One pair of masks ``[h w]`` and the kind that its table row counts it in."""

    kind: str
    prediction: np.ndarray
    gt: np.ndarray
    void: np.ndarray | None = None


Judge = Callable[[Case], tuple[float, float] | None]


def shape(kind: str, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random mask of a kind."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    x, y = int(rng.integers(width)), int(rng.integers(height))
    if kind in ("noise", "sparse", "dense"):
        return rng.random(size) < {"noise": 0.5, "sparse": 0.02, "dense": 0.98}[kind]
    if kind == "blob":
        axes = (int(rng.integers(1, width // 2 + 2)), int(rng.integers(1, height // 2 + 2)))
        cv2.ellipse(mask, (x, y), axes, float(rng.random() * 180), 0, 360, 1, -1)
    elif kind == "line":
        cv2.line(mask, (x, y), (int(rng.integers(width)), int(rng.integers(height))), 1, int(rng.integers(1, 3)))
    elif kind == "pixel":
        mask[y, x] = 1
    elif kind == "border":
        mask[: y + 1] = 1
        mask = np.rot90(mask, 2) if rng.random() < 0.5 else mask
        mask[:, x:] |= np.uint8(rng.random() < 0.5)
    elif kind == "full":
        mask[:] = 1
    return mask.astype(bool)


def random_cases(rounds: int, seed: int = 0) -> Iterator[Case]:
    """Every kind of mask against every other, in sizes from a pixel up; one in three is also given with a void."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        for size in SIZES:
            for first in SHAPES:
                for second in SHAPES:
                    prediction, gt = shape(first, size, rng), shape(second, size, rng)
                    yield Case("random", prediction, gt)
                    if rng.random() < 1 / 3:
                        void = shape(SHAPES[rng.integers(len(SHAPES))], size, rng)
                        yield Case("random, void", prediction, gt, void)


def warped(labels: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Labels ``[h w]`` whose pixels were pulled some way by a smooth random field."""
    height, width = labels.shape
    field = cv2.resize(rng.normal(0, strength, (6, 8, 2)).astype(np.float32), (width, height))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return cv2.remap(labels, x + field[..., 0], y + field[..., 1], cv2.INTER_NEAREST)


def real_cases(videos: dict[str, list[np.ndarray]], seed: int = 0) -> Iterator[Case]:
    """Masks of videos against what a tracker may make of them, with voids too."""
    rng = np.random.default_rng(seed)
    for frames in videos.values():
        for index, labels in enumerate(frames):
            for object_id in np.unique(labels[labels > 0]):
                gt = labels == object_id
                grey, disk = gt.view(np.uint8), np.ones((7, 5), np.uint8)
                other = frames[(index + len(frames) // 2) % len(frames)]
                for prediction in (
                    gt,
                    np.roll(gt, rng.integers(-12, 13, 2), (0, 1)),
                    cv2.dilate(grey, disk) > 0,
                    cv2.erode(grey, disk) > 0,
                    warped(grey, 2, rng) > 0,
                    warped(grey, 8, rng) > 0,
                    warped(grey, 30, rng) > 0,
                    other == object_id,
                    labels == object_id + 1,
                    labels > 0,
                ):
                    yield Case("video", prediction, gt)
                yield Case("video, void", warped(grey, 4, rng) > 0, gt, warped(grey, 12, rng) > 0)


def ours(case: Case) -> tuple[float, float]:
    """The fast path."""
    j, f = frame_scores(case.prediction[None], case.gt[None], case.void)
    return float(j[0]), float(f[0])


def readable(case: Case) -> tuple[float, float]:
    """The definition that the fast path must equal."""
    return float(jaccard(case.prediction, case.gt, case.void)), boundary_f(*case[1:])


def judges(clone: Path | None) -> dict[str, Judge]:
    """The evaluators that are here, by name."""
    found: dict[str, Judge] = {"our readable definition": readable}
    if importlib.util.find_spec("vos_benchmark"):
        evaluator = importlib.import_module("vos_benchmark.evaluator").Evaluator

        def vos(case: Case) -> tuple[float, float] | None:
            if case.void is not None:
                return None  # it knows no void
            judge = evaluator()
            judge.objects_in_gt = {1}  # scores pairs of empty masks too
            judge.feed_frame(case.prediction.view(np.uint8), case.gt.view(np.uint8))
            return judge.object_iou[1][0], judge.boundary_f[1][0]

        found["vos-benchmark"] = vos
    if clone is not None:
        davis = davis_module(clone, "metrics")

        def davis2017(case: Case) -> tuple[float, float]:
            pair = case.gt, case.prediction, case.void
            with np.errstate(invalid="ignore"):
                return float(davis.db_eval_iou(*pair)), float(davis.db_eval_boundary(*pair))

        found["davis2017"] = davis2017
    return found


def davis_module(clone: Path, name: str) -> Any:
    """A module of the checkout."""
    if not (clone / "davis2017" / "metrics.py").is_file():
        raise SystemExit(f"expected davis2017/metrics.py in {clone}: pass a checkout of davis2017-evaluation")
    if str(clone) not in sys.path:
        sys.path.append(str(clone))
    return importlib.import_module(f"davis2017.{name}")


def parity(cases: Iterable[Case], against: dict[str, Judge]) -> list[tuple[str, ...]]:
    """Rows of the parity table: kind, judge, number of pairs, largest differences of J and F."""
    worst: dict[tuple[str, str], list[float]] = {}
    for case in cases:
        mine = ours(case)
        for name, judge in against.items():
            theirs = judge(case)
            if theirs is not None:
                row = worst.setdefault((case.kind, name), [0, 0.0, 0.0])
                row[0] += 1
                row[1:] = [max(w, abs(a - b)) for w, a, b in zip(row[1:], mine, theirs, strict=True)]
    return [(kind, name, f"{n}", f"{j:.3g}", f"{f:.3g}") for (kind, name), (n, j, f) in worst.items()]


def statistics_parity(clone: Path, seed: int = 0) -> str:
    """Recall and decay beside those of davis2017, up to the 255 frames that it counts right."""
    reference = davis_module(clone, "utils").db_statistics
    rng = np.random.default_rng(seed)
    worst = 0.0
    for length in range(1, 256):
        values = rng.random(length)
        _, theirs, falls = reference(values)
        worst = max(worst, abs(recall(values.tolist()) - theirs), abs(decay(values.tolist()) - falls))
    return f"Recall and decay of 1..255 frames: differ from davis2017 by at most {worst:.3g}."


class Timing(NamedTuple):
    """Milliseconds for an object in a frame, in each repeat."""

    name: str
    size: str
    objects: int
    times: dict[str, list[float]]

    def row(self) -> tuple[str, ...]:
        """A row of the speed table."""
        mine = self.times["ours"]
        cells = [f"{statistics.median(mine):.3f}"]
        for name, theirs in self.times.items():
            if name != "ours":
                ratio = statistics.median(a / b for a, b in zip(theirs, mine, strict=True))
                cells += [f"{statistics.median(theirs):.3f}", f"{ratio:.1f}"]
        return (self.name, self.size, str(self.objects), *cells)


def measure(name: str, frames: list[np.ndarray], repeats: int, clone: Path | None) -> Timing:
    """Score one video by each judge, in turns."""
    rng = np.random.default_rng(0)
    predictions = [warped(labels, 6, rng) for labels in frames]
    ids = np.unique(np.stack(frames))
    ids = ids[ids > 0][:, None, None]
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: [frame_scores(a == ids, b == ids) for a, b in zip(predictions, frames, strict=True)]
    }
    if importlib.util.find_spec("vos_benchmark"):
        evaluator = importlib.import_module("vos_benchmark.evaluator").Evaluator

        def vos() -> None:
            judge = evaluator()
            for a, b in zip(predictions, frames, strict=True):
                judge.feed_frame(a, b)

        runs["vos-benchmark"] = vos
    if clone is not None:
        davis = davis_module(clone, "metrics")
        masks = [(np.stack(frames) == i, np.stack(predictions) == i) for i in ids]

        def davis2017() -> None:
            for gt, mine in masks:
                davis.db_eval_iou(gt, mine)
                davis.db_eval_boundary(gt, mine)

        runs["davis2017"] = davis2017
    times: dict[str, list[float]] = {each: [] for each in runs}
    with np.errstate(invalid="ignore"):
        for repeat in range(repeats + 1):  # the first warms up
            for each, run in runs.items():
                began = time.process_time()
                run()
                if repeat:
                    times[each].append(1000 * (time.process_time() - began) / (len(frames) * len(ids)))
    height, width = frames[0].shape
    return Timing(name, f"{width}x{height}", len(ids), times)


def totals(timings: list[Timing]) -> list[Timing]:
    """A row for each size: the mean over its videos."""
    rows = []
    for size in dict.fromkeys(t.size for t in timings):
        same = [t for t in timings if t.size == size]
        times = {each: list(np.mean([t.times[each] for t in same], axis=0)) for each in same[0].times}
        rows.append(Timing(f"mean of {len(same)}", size, sum(t.objects for t in same), times))
    return rows


def read(folder: Path, count: int) -> dict[str, list[np.ndarray]]:
    """Label maps of up to so many frames of each video, evenly spread."""
    videos = {}
    for video in sorted(folder.iterdir()):
        files = sorted((video / "masks").glob("*.png"))
        chosen = np.unique(np.linspace(0, len(files) - 1, count).round().astype(int)) if files else []
        if len(chosen):
            videos[video.name] = [read_label_png(files[i]) for i in chosen]
    if not videos:
        raise SystemExit(f"there is no NAME/masks/*.png in {folder}: pass a folder of videos")
    return videos


def table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def main(arguments: list[str] | None = None) -> None:
    """Compare, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of videos")
    parser.add_argument("--davis2017", type=Path, metavar="CLONE", help="checkout of davis2017-evaluation")
    parser.add_argument("--rounds", type=int, default=5, help="times that all kinds of random masks are drawn")
    parser.add_argument("--frames", type=int, default=12, help="frames of each video")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--enlarge", type=int, nargs="*", default=[1, 2], help="factors on the size of timed videos")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    against = judges(options.davis2017)
    videos = read(options.data, options.frames) if options.data else {}
    rows = parity(random_cases(options.rounds), against) + parity(real_cases(videos), against)
    print(table(("masks", "against", "pairs", "largest difference of J", "of F"), rows))
    if options.davis2017:
        print(f"\n{statistics_parity(options.davis2017)}")
    timings = []
    for factor in options.enlarge if videos else []:
        for name, frames in videos.items():
            print(f"timing {name} x {factor}", file=sys.stderr)
            large = [frame.repeat(factor, 0).repeat(factor, 1) for frame in frames]
            timings.append(measure(name, large, options.repeats, options.davis2017))
    if timings:
        titles = ["video", "size", "objects", "ours, ms"]
        titles += [t for name in timings[0].times if name != "ours" for t in (f"{name}, ms", "ratio")]
        print("\n" + table(tuple(titles), [each.row() for each in timings + totals(timings)]))
        versions = f"numpy {np.__version__}, cv2 {cv2.__version__}"
        print(f"\nMilliseconds of processor time for J and F of an object in a frame; {versions}.")


if __name__ == "__main__":
    main()
