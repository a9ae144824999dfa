"""The official ``sav_dataset/sav_evaluator.py``: J and F of predicted masks by the rules of SA-V.

``python -m masklet.compat.sam2.sav_evaluator --gt_root ... --pred_root ...``
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from ...data.frames import PictureFrames
from ...data.paths import files_in, folders_in
from ...data.records import AnnotatedVideo
from ...evaluation.prediction_folders import object_folders, read_predictions
from ...evaluation.predictions import score_predicted
from ...evaluation.rules import RULES, Rule
from ...evaluation.scores import SequenceScore, VosScore
from ...evaluation.scoring import score_frames
from ...video.atomic import write_bytes
from .mask_folders import masks_of

log = logging.getLogger(__name__)

TABLE = "results.csv"


def score_folders(
    gt_root: str | os.PathLike[str],
    pred_root: str | os.PathLike[str],
    *,
    strict: bool = False,
    processes: int = 1,
    skip_first_and_last: bool = True,
) -> Iterator[SequenceScore]:
    """Yield the score of each video, by name.

    A video of the truth has one folder an object (SA-V), or label maps (DAVIS), and its predictions lie likewise.

    Args:
        gt_root: A folder a video; or what holds it as ``Annotations``.
        pred_root: A folder a video.
        strict: Both must have the same videos; else only those in both are scored.
        processes: Number of processes.
        skip_first_and_last: The first and the last annotated frame of an object do not count.

    Raises:
        FileNotFoundError: There is no such folder, or it holds no video to be scored.
        ValueError: The videos are not the same, or predictions are missing or damaged.
    """
    truth, predicted = Path(gt_root), Path(pred_root)
    truth = truth / "Annotations" if (truth / "Annotations").is_dir() else truth
    names = _videos(truth, predicted, strict)
    log.info("scoring %d videos of %s", len(names), truth)
    rule = replace(RULES["sa_v"], skip_first=skip_first_and_last, skip_last=skip_first_and_last)
    score = partial(_score, truth, predicted, rule)
    workers = min(processes, len(names), os.cpu_count() or 1)
    if workers < 2:
        yield from map(score, names)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(score, names)


def table(score: VosScore) -> str:
    """The scores as the official ``results.csv``: percent, all objects first, then each of them."""
    width = max([len(s.name) for s in score.sequences] + [len("Global score")])
    lines = [f"{'sequence':<{width}},obj,  J&F,    J,    F"]
    lines.append(f"{'Global score':<{width}},   , {_percent(score.object_j, score.object_f, 0)}")
    for sequence in score.sequences:
        for one in sequence.objects:
            lines.append(f"{sequence.name:<{width}},{one.object_id:03d}, {_percent(one.j, one.f, 4)}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = _parser()
    args = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING if args.quiet else logging.INFO)
    try:
        _run(args)
    except (ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    return 0


def _run(args: argparse.Namespace) -> None:
    skipped = "do not count" if not args.do_not_skip_first_and_last_frame else "count, which is not usual,"
    log.info("the first and the last frame %s", skipped)
    found = score_folders(
        args.gt_root,
        args.pred_root,
        strict=args.strict,
        processes=args.num_processes,
        skip_first_and_last=not args.do_not_skip_first_and_last_frame,
    )
    score = VosScore(tuple(found))
    text = table(score)
    log.info("%s", text.replace(",", " "))
    write_bytes(Path(args.pred_root) / TABLE, text.encode())
    log.info("Global score: J&F: %.1f J: %.1f F: %.1f", *_means(score.object_j, score.object_f))
    log.info("the table is in %s", Path(args.pred_root) / TABLE)


def _videos(truth: Path, predicted: Path, strict: bool) -> list[str]:
    for folder in (truth, predicted):
        if not folder.is_dir():
            raise FileNotFoundError(f"expected a folder with a folder for each video, found none at {folder}")
    known, given = ({path.name for path in folders_in(folder)} for folder in (truth, predicted))
    if strict and known != given:
        raise ValueError(
            f"{truth} and {predicted} do not have the same videos: only the first has {sorted(known - given)}, "
            f"only the second {sorted(given - known)}"
        )
    if not known & given:
        raise FileNotFoundError(f"no video is in both {truth} and {predicted}: check the paths")
    return sorted(known & given)


def _score(truth: Path, predicted: Path, rule: Rule, name: str) -> SequenceScore:
    """Score one video; its frames are those that are annotated, and their pictures are the masks."""
    where = truth / name
    things = object_folders(where)
    files = {file.name: file for folder in (things.values() or [where]) for file in files_in(folder, {".png"})}
    frames = PictureFrames(where, lambda: [files[name] for name in sorted(files)])
    video = AnnotatedVideo(name, frames, masks_of(where, frames.numbers, per_object=bool(things)))
    if things:
        return score_predicted(video, predicted, rule, "objects")
    # officially a label that the truth does not have is passed over
    return score_frames(video, read_predictions(video, predicted), rule)


def _means(j: float, f: float) -> tuple[float, float, float]:
    return 50 * (j + f), 100 * j, 100 * f


def _percent(j: float, f: float, width: int) -> str:
    return ", ".join(f"{value:>{width}.1f}" for value in _means(j, f))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sav_evaluator", description="Score predicted masks by the rules of SA-V.")
    parser.add_argument("--gt_root", required=True, help="true masks, a folder a video (sav_val/Annotations_6fps)")
    parser.add_argument("--pred_root", required=True, help="predicted masks, laid out alike")
    parser.add_argument("-n", "--num_processes", type=int, default=16, help="most processes (%(default)s)")
    parser.add_argument("-s", "--strict", action="store_true", help="both folders must have the same videos")
    parser.add_argument("-q", "--quiet", action="store_true", help="write the table only")
    parser.add_argument(
        "--do_not_skip_first_and_last_frame", action="store_true", help="the first and the last frame count, too"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
