"""DAVIS interactive as a second opinion: its session drives a tracker, and its scores are compared with ours.

    python benchmarks/davis_interactive.py --data DIR --model nano --videos 2 --rounds 4

Needs ``davisinteractive==1.0.4``, which is sold as source only and pins what no longer exists: install Cython and
numpy, then ``pip install --no-deps --no-build-isolation davisinteractive==1.0.4``, then pandas, scikit-image,
scikit-learn, networkx, six and absl-py. The scribbles of the challenge are not needed: its robot draws the first ones,
too. The middle of each scribble is a click. Videos with one object are taken, where all ways to take means agree.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from masklet.data.plain_folders import open_plain_folders
from masklet.data.records import AnnotatedVideo
from masklet.evaluation.annotation_time import EffortCurve, effort_curve
from masklet.evaluation.metrics import boundary_f, jaccard
from masklet.evaluation.scores import InteractiveScore, ObjectScore, Round
from masklet.masks.label_png import write_label_png
from masklet.tracker import Tracker

SPLIT, OBJECT = "val", 1


def restore() -> None:
    """Give numpy, networkx and pandas back what the package was written with: names, and means that skip texts."""
    import networkx

    for name, value in {"int": int, "float": float, "bool": bool, "trapz": getattr(np, "trapezoid", None)}.items():
        if not hasattr(np, name):
            setattr(np, name, value)
    setattr(networkx, "from_scipy_sparse_matrix", networkx.from_scipy_sparse_array)  # noqa: B010

    from davisinteractive.evaluation import EvaluationService

    summarize = EvaluationService.summarize_report

    def without_texts(service: Any, report: Any) -> Any:
        return summarize(service, report.drop(columns=["session_id"]).infer_objects())

    setattr(EvaluationService, "summarize_report", without_texts)  # noqa: B010


def truth_of(video: AnnotatedVideo) -> np.ndarray:
    """Label maps of all frames, ``[t h w]``."""
    absent = np.zeros(video.size, bool)
    return np.stack([video.masks(t).get(OBJECT, absent) for t in range(video.frame_count)]).astype(np.uint8)


def write_davis(root: Path, videos: Mapping[str, AnnotatedVideo]) -> None:
    """Write what the package reads, and tell it that DAVIS consists of these videos."""
    from davisinteractive.dataset import Davis
    from davisinteractive.evaluation.service import ROBOT_DEFAULT_PARAMETERS
    from davisinteractive.robot import InteractiveScribblesRobot

    robot = InteractiveScribblesRobot(**ROBOT_DEFAULT_PARAMETERS)
    Davis.sets[SPLIT] = list(videos)
    for name, video in videos.items():
        truth = truth_of(video)
        scribbles = robot.interact(name, np.zeros_like(truth), truth, nb_objects=1, frame=0)
        (root / "Annotations" / "480p" / name).mkdir(parents=True)
        (root / "Scribbles" / name).mkdir(parents=True)
        for t, labels in enumerate(truth):
            write_label_png(root / "Annotations" / "480p" / name / f"{t:05d}.png", labels)
        (root / "Scribbles" / name / "001.json").write_text(json.dumps(scribbles))
        Davis.dataset[name] = {
            "name": name,
            "num_frames": len(truth),
            "num_objects": 1,
            "num_scribbles": 1,
            "image_size": [*video.size[::-1]],
        }


def clicks_of(scribbles: list[dict[str, Any]], size: tuple[int, int]) -> list[tuple[float, float, int]]:
    """The middle of each scribble of a frame in pixels, and whether it lies on the object."""
    clicks = []
    for scribble in scribbles:
        x, y = np.array(scribble["path"][len(scribble["path"]) // 2]) * size[::-1]
        x, y = np.clip((x, y), 0, np.array(size[::-1]) - 1)
        clicks.append((float(x), float(y), int(scribble["object_id"] == OBJECT)))
    return clicks


def drive(tracker: Tracker, videos: Mapping[str, AnnotatedVideo], root: Path, rounds: int) -> tuple[Any, Any, list]:
    """Their report, their summary, and ``(name, J of each frame, F of each frame)`` by our metrics for each round."""
    from davisinteractive.session import DavisInteractiveSession

    ours, given = [], {}
    with DavisInteractiveSession(
        davis_root=root, subset=SPLIT, max_nb_interactions=rounds, report_save_dir=root
    ) as session:
        for name, scribbles, new in session.scribbles_iterator(only_last=True):
            video = videos[name]
            if new:
                tracker.open(video.images)
                given = {}
            drawings: list[list[dict[str, Any]]] = scribbles["scribbles"]  # pyright: ignore
            for t, drawn in enumerate(drawings):
                if drawn:
                    given.setdefault(t, []).extend(clicks_of(drawn, video.size))
                    points, labels = np.array(given[t], np.float32)[:, :2], [label for *_, label in given[t]]
                    tracker.prompt(t, OBJECT, points=points, labels=np.array(labels, np.int64))
            masks = np.stack([masks[OBJECT] for _, masks in tracker.propagate(start=0)])
            session.submit_masks(masks.astype(int))
            truth = truth_of(video) == OBJECT
            f = tuple(boundary_f(mask, gt) for mask, gt in zip(masks, truth, strict=True))
            ours.append((name, tuple(map(float, jaccard(masks, truth))), f))
    return session.get_report(), session.get_global_summary(), ours


def our_curve(names: Iterable[str], ours: list, report: Any) -> EffortCurve:
    """Our scores with the times that their session measured."""
    scores = []
    for name in names:
        seconds, made = 0.0, []
        for n, (_, j, f) in enumerate([one for one in ours if one[0] == name], 1):
            seconds += float(report[(report.sequence == name) & (report.interaction == n)].timing.iloc[0])
            made.append(Round(0, ObjectScore(OBJECT, tuple(range(len(j))), j, f), seconds))
        scores.append(InteractiveScore(name, OBJECT, tuple(made)))
    return effort_curve(scores)


def main(arguments: list[str] | None = None) -> None:
    """Parse, drive, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/ and splits.json")
    parser.add_argument("--model", default="nano", help="name or path of a checkpoint")
    parser.add_argument("--image-size", type=int, default=384, help="side of the model's square input in pixels")
    parser.add_argument("--videos", type=int, help="only the first N videos with one object")
    parser.add_argument("--rounds", type=int, default=8, help="prompted frames of each video")
    options = parser.parse_args(arguments)
    restore()

    import masklet
    from masklet.inference.adapters import SessionTracker

    single = (v for v in open_plain_folders(options.data / "videos", "dev") if [*v.first_frames()] == [OBJECT])
    videos = {video.name: video for video in islice(single, options.videos)}
    tracker = SessionTracker(masklet.load(options.model, image_size=options.image_size))
    with tempfile.TemporaryDirectory() as folder:
        write_davis(Path(folder), videos)
        report, summary, ours = drive(tracker, videos, Path(folder), options.rounds)
    frames = report[["jaccard", "contour"]].to_numpy(float).T
    apart = np.abs(frames - [np.concatenate([one[k] for one in ours]) for k in (1, 2)]).max(axis=1)
    curve = our_curve(videos, ours, report)
    until = options.rounds * float(report.timing.max())
    print("| prompted frames | J | F | seconds |\n|---|---|---|---|")
    for point in curve.points:
        print(f"| {point.frames} | {point.j:.3f} | {point.f:.3f} | {point.seconds:.1f} |")
    print(f"\n{frames.shape[1]} scored frames; largest difference: J {apart[0]:.1e}, F {apart[1]:.1e}")
    at, auc = summary["metric_at_threshold"]["J_AND_F"], summary["auc"]
    print(f"J&F at 60 s: theirs {at:.6f}, ours {curve.at(60.0):.6f}; area: {auc:.6f}, {curve.area(until):.6f}")


if __name__ == "__main__":
    main()
