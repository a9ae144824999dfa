"""Which objects of videos automatic masklets cover, with a contact sheet a video.

    python benchmarks/automatic_coverage.py --data DIR/videos/dev -o OUT --model nano
    python benchmarks/automatic_coverage.py --data DIR/videos/dev -o OUT2 --least-iou 0.6 --only dog,car-shadow

Writes of each video OUT/NAME.json (what is found, and scores), NAME_auto.json (SA-V) and NAME.png; videos that have the
first are not done again, so that a run that was stopped goes on. An object is covered at 0.5 if an automatic masklet
has a mean IoU of 0.5 with it over all frames on which one of the two is visible.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import masklet
from masklet.data.masklet_file import read_masklets
from masklet.data.masklet_quality import Quality
from masklet.data.masklet_quality import measure as measure_quality
from masklet.data.open import open_dataset
from masklet.data.records import AnnotatedVideo
from masklet.inference.automatic_masklets import AutomaticMasklets
from masklet.inference.masklet_options import MaskletOptions
from masklet.inference.masklets import STEP
from masklet.masks.nesting import label_map
from masklet.masks.over_time import Track, agreement
from masklet.masks.rle import decode, encode
from masklet.model.sam2 import Sam2
from masklet.video.atomic import write_bytes
from masklet.video.contact_sheet import contact_sheet, spread_frames
from masklet.video.overlay import overlay, overlay_labels

COVERED = 0.5, 0.75
ON_OBJECT = 0.1  # IoU with a known object from which on a masklet counts for the correlation
SHOWN = 6  # frames of a sheet

Found = tuple[dict[int, Track], dict[int, dict[str, Any]]]


def found_in(video: AnnotatedVideo, frames: int, generator: AutomaticMasklets, out: Path) -> Found:
    """Masks of every masklet, and its scores on annotated frames of SA-V; writes the file of SA-V."""
    tracks: dict[int, Track] = {}
    scores: dict[int, dict[str, Any]] = {}
    with generator.generate(video.images_from(0)[:frames]) as masklets:
        for frame in masklets:
            for i, one in frame.items():
                if not one.area:
                    continue
                tracks.setdefault(i, {})[frame.frame] = one.rle()  # pyright: ignore[reportIndexIssue]
                if frame.frame % STEP == 0:
                    row = {"iou": one.iou, "presence": one.presence, "stability": one.stability}
                    scores.setdefault(i, {})[str(frame.frame)] = {k: round(float(v), 4) for k, v in row.items()}
        masklets.write_sa_v(out, video.name)
    return tracks, scores


def truth_of(video: AnnotatedVideo, frames: int) -> dict[int, Track]:
    """Known masks of every object."""
    tracks: dict[int, Track] = {}
    for t in video.annotated:
        for i, mask in video.masks(t).items() if t < frames else ():
            tracks.setdefault(i, {})[t] = encode(mask)  # pyright: ignore[reportIndexIssue]
    return tracks


def measure(video: AnnotatedVideo, generator: AutomaticMasklets, args: argparse.Namespace) -> dict[str, Any]:
    """Find, compare, draw; returns what the file of a video holds."""
    frames = min(args.frames or video.frame_count, video.frame_count)
    before = time.process_time()
    tracks, scores = found_in(video, frames, generator, args.output)
    seconds = time.process_time() - before
    truth = truth_of(video, frames)
    compared = agreement([*truth.values()], [*tracks.values()])
    ious, ids = compared.mean_iou, [*tracks]
    best = {i: ids[int(ious[k].argmax())] for k, i in enumerate(truth)} if tracks else {}
    draw(args.output / f"{video.name}.png", video, frames, tracks, truth, best)
    found = {}
    for k, (i, one) in enumerate(tracks.items()):
        nearest = int(ious[:, k].argmax())
        found[str(i)] = {
            "true_iou": float(ious[nearest, k]),
            "true_iou_while_visible": float(compared.iou[nearest, k]) / len(one),
            "life": [min(one), max(one)],
            "scores": scores.get(i, {}),
        }
    objects = {str(i): {"iou": float(ious[k].max(initial=0)), "masklet": best.get(i)} for k, i in enumerate(truth)}
    row = {"video": video.name, "frames": frames, "seconds": round(seconds, 1)}
    return {**row, "objects": objects, "masklets": found}


def draw(
    path: Path, video: AnnotatedVideo, frames: int, tracks: dict[int, Track], truth: dict[int, Track], best: dict
) -> None:
    """A sheet: all masklets, the known objects, and for each of these the masklet that fits best, in its colour."""
    times = spread_frames(range(frames), SHOWN)
    pictures = {t: video.image(t) for t in times}
    everything = []
    for t in times:
        alive = {i: one[t] for i, one in tracks.items() if t in one}
        ids = np.array([0, *alive], np.int32)
        everything.append(overlay_labels(pictures[t], ids[label_map(list(alive.values()), video.size)]))
    rows = [(f"{video.name}: {len(tracks)} masklets, frames {times}", everything)]
    fits = {i: tracks[one] for i, one in best.items()}
    for text, some in (("known objects", truth), (f"the masklets that fit best: {best}", fits)):
        masks = [{i: decode(one[t]) for i, one in some.items() if t in one} for t in times]
        rows.append((text, [overlay(pictures[t], shown, labels=True) for t, shown in zip(times, masks, strict=True)]))
    sheet = contact_sheet(rows, 320)
    write_bytes(path, cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())


def correlations(rows: list[dict[str, Any]], out: Path) -> None:
    """Print how well measures rank masklets by their true IoU, all videos at once: those that lie on a known object."""
    table: list[dict[str, float]] = []
    for row in rows:
        for one in measure_quality(read_masklets(out / f"{row['video']}_auto.json")):
            known = row["masklets"][str(one.object_id)]
            if known["true_iou_while_visible"] >= ON_OBJECT:
                table.append({"true IoU": known["true_iou"], **measures(one, known)})
    for text, some in (("all", table), ("visible half of the time", [one for one in table if one["presence"] >= 0.5])):
        if len(some) < 3:
            continue
        print(f"rank correlation (Spearman) with the true IoU of masklets on objects, {text}, {len(some)}:")
        ranks = {name: ranked([one[name] for one in some]) for name in some[0]}
        for name, rank in ranks.items():
            if name != "true IoU" and np.ptp(rank):
                print(f"  {name} {np.corrcoef(rank, ranks['true IoU'])[0, 1]:.2f}")


def measures(one: Quality, known: dict[str, Any]) -> dict[str, float]:
    """What ranks a masklet; what the model says is of frames after the first, which has the mask as it was found."""
    later = [score for t, score in known["scores"].items() if int(t) > known["life"][0]]
    model = {k: float(np.mean([score[k] for score in later] or [0])) for k in ("iou", "presence")}
    plain = {"presence": one.presence, "stability": one.stability or 0.0, "consistency": one.consistency}
    plain |= {"area": one.area, "edge": one.edge, "predicted IoU": model["iou"], "presence logit": model["presence"]}
    return {"score": one.score, **plain, "score with predicted IoU": one.score**3 * model["iou"]}


def ranked(values: list[float]) -> np.ndarray:
    """Ranks; equal values share their mean rank."""
    _, place, counts = np.unique(np.round(values, 6), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def options_of(model: Sam2, args: argparse.Namespace) -> MaskletOptions:
    """Those suited to the model, with what was asked for instead."""
    chosen = MaskletOptions.suited(model)
    named = {name: getattr(args, name) for name in ("least_iou", "least_stability")}
    masks = replace(chosen.masks, **{name: value for name, value in named.items() if value is not None})
    others = {name: getattr(args, name) for name in ("most_objects", "least_confidence", "prefer", "every")}
    return replace(chosen, masks=masks, **{name: value for name, value in others.items() if value is not None})


def summarise(rows: list[dict[str, Any]]) -> None:
    """Print what all videos say together."""
    objects = [one["iou"] for row in rows for one in row["objects"].values()]
    counts = [len(row["masklets"]) for row in rows]
    per_frame = sum(row["seconds"] for row in rows) / sum(row["frames"] for row in rows)
    for least in COVERED:
        print(f"covered at {least}: {np.mean(np.array(objects) >= least):.3f} of {len(objects)} objects")
    print(f"mean IoU of the best {np.mean(objects):.3f}; {np.mean(counts):.1f} masklets a video")
    print(f"{per_frame:.2f} s of processor time a frame")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is left, and print a row a video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--only", help="ends of names of videos, with commas between")
    parser.add_argument("--frames", type=int, help="at most so many of each video")
    parser.add_argument("--least-iou", type=float)
    parser.add_argument("--least-stability", type=float)
    parser.add_argument("--least-confidence", type=float)
    parser.add_argument("--most-objects", type=int)
    parser.add_argument("--prefer", choices=["confident", "large"])
    parser.add_argument("--every", type=int)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    settings = {k: v for k, v in vars(args).items() if k not in ("data", "output", "only", "threads")}
    args.output.mkdir(parents=True, exist_ok=True)
    ends = tuple(args.only.split(",")) if args.only else ("",)
    videos = [video for video in open_dataset(args.data) if video.name.endswith(ends)]
    rows, generator = [], None
    for video in videos:
        path = args.output / f"{video.name}.json"
        if path.exists():
            row = json.loads(path.read_text())
            if row["settings"] != settings:
                raise SystemExit(f"{path} is of other settings, {row['settings']}: give another -o")
        else:
            if generator is None:
                model = masklet.load(args.model, image_size=args.image_size)
                generator = AutomaticMasklets(model, options_of(model, args))
            row = {"settings": settings, **measure(video, generator, args)}
            write_bytes(path, json.dumps(row).encode())
        rows.append(row)
        ious = " ".join(f"{one['iou']:.2f}" for one in row["objects"].values())
        print(f"{row['video']}: {len(row['masklets'])} masklets, objects {ious}, {row['seconds']} s", flush=True)
    summarise(rows)
    correlations(rows, args.output)


if __name__ == "__main__":
    main()
