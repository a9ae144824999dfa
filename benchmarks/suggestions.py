"""What correcting a suggested frame gains, beside others; and how well each measure of confidence tells of J.

    python benchmarks/suggestions.py --data DIR/videos/dev --model nano --image-size 256 --longest 84

Clips of one object are tracked from the true mask of their first frame. Then one frame, or three at once, get the true
mask as a correction and the clip is tracked again; the gain is that of the mean J over all frames after the first.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.stats import ConstantInputWarning, spearmanr

import masklet
from masklet.data.open import open_dataset
from masklet.data.records import AnnotatedVideo
from masklet.evaluation.metrics import jaccard
from masklet.inference.results import ObjectResult

Row = Mapping[str, float]


def measures(one: ObjectResult, consistency: float) -> Row:
    """What tells of J without the truth."""
    return {
        "predicted IoU": one.iou,
        "presence": one.presence,
        "stability": one.stability,
        "consistency": consistency,
        "confidence": one.confidence,
        "confidence x stability": one.confidence * one.stability,
        "confidence x consistency": one.confidence * consistency,
    }


def tracked(session: masklet.VideoSession, truth: Sequence[np.ndarray]) -> tuple[list[float], list[Row]]:
    """J and measures of every frame after the first."""
    scores, rows = [], []
    for result in session.propagate(start=0):
        if result.frame:
            scores.append(float(jaccard(result[1].mask, truth[result.frame])))
            rows.append(measures(result[1], session.consistency(result.frame)[1]))
    return scores, rows


def gain(session: masklet.VideoSession, truth: Sequence[np.ndarray], frames: Sequence[int], base: float) -> float:
    """Gain of mean J by the true masks of some frames; the session is left as it was."""
    for t in frames:
        session.prompt(t, 1, mask=truth[t])
    scores = [float(jaccard(r[1].mask, truth[r.frame])) for r in session.propagate(start=0) if r.frame]
    for _ in range(len(frames) + 1):
        session.undo()
    return float(np.mean(scores)) - base


def study(video: AnnotatedVideo, model: masklet.Sam2, draws: int) -> tuple[dict[str, float], list[float], list[Row]]:
    """Gain by the rule that chose the frames; J and measures as first tracked."""
    absent, last = np.zeros(video.size, bool), video.frame_count - 1
    truth = [video.masks(t).get(1, absent) for t in range(video.frame_count)]
    usable = [t for t in range(1, last + 1) if truth[t].any()]
    rng = np.random.default_rng(0)
    with masklet.VideoSession(video.images, model) as session:
        session.prompt(0, 1, mask=truth[0])
        scores, rows = tracked(session, truth)
        base = float(np.mean(scores))

        def gained(wanted: Sequence[int]) -> float:
            frames = sorted({min(usable, key=lambda u: abs(u - t)) for t in wanted})
            return gain(session, truth, frames, base)

        def by_chance(count: int, times: int) -> float:
            return float(np.mean([gained(rng.choice(usable, count, replace=False).tolist()) for _ in range(times)]))

        gains = {"first": base}
        gains["suggested"] = gained([one.frame for one in session.suggest_frames(1)])
        gains["middle"] = gained([last // 2])
        gains["random"] = by_chance(1, draws)
        gains["worst J"] = gained([1 + int(np.argmin(scores))])
        gains["3 suggested"] = gained([one.frame for one in session.suggest_frames(3)])
        gains["3 evenly"] = gained([last // 4, last // 2, 3 * last // 4])
        gains["3 random"] = by_chance(3, 1)
    return gains, scores, rows


def correlations(clips: Sequence[tuple[list[float], list[Row]]]) -> dict[str, tuple[float, float]]:
    """Rank correlation of each measure with J: mean over clips (0 where it never changes), and over all frames."""
    found = {}
    for name in clips[0][1][0]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantInputWarning)
            each = [float(spearmanr([row[name] for row in rows], scores)[0]) for scores, rows in clips]
            values = [row[name] for _, rows in clips for row in rows]
            together = float(spearmanr(values, [j for scores, _ in clips for j in scores])[0])
        found[name] = float(np.mean(np.nan_to_num(each))), together
    return found


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="videos with masks on every frame")
    parser.add_argument("--model", default="nano", help="as masklet.load takes it")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--longest", type=int, help="leave out clips of more frames")
    parser.add_argument("--random", type=int, default=3, help="draws of one random frame")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = masklet.load(options.model, image_size=options.image_size)
    table, clips = [], []
    for video in open_dataset(options.data):
        if options.longest is not None and video.frame_count > options.longest:
            continue
        if set(video.first_frames()) != {1} or len(video.annotated) != video.frame_count:
            continue
        gains, *known = study(video, model, options.random)
        if not table:
            print(f"| clip | {' | '.join(gains)} |\n|---|{'---|' * len(gains)}")
        table.append(list(gains.values()))
        clips.append(tuple(known))
        print(line(video.name, table[-1]), flush=True)
    print(line(f"mean of {len(table)}", np.mean(table, axis=0).tolist()))
    print("\n| measure | rank correlation with J, mean over clips | over all frames |\n|---|---|---|")
    for name, (mean, together) in correlations(clips).items():
        print(f"| {name} | {mean:.2f} | {together:.2f} |")


def line(name: str, values: list[float]) -> str:
    """A row of the table."""
    return f"| {name} | {values[0]:.3f} | {' | '.join(f'{value:+.3f}' for value in values[1:])} |"


if __name__ == "__main__":
    main()
