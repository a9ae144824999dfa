"""Score a model on the development videos and images: a Markdown table, a JSON file and contact sheets.

    python benchmarks/dev_scores.py --data DIR --model nano --image-size 384 --out scores.json

``--model copy-first`` runs the baseline alone. The contact sheets are written beside the JSON file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from masklet.baselines.copy_first import CopyFirst
from masklet.data.plain_folders import open_plain_folders
from masklet.data.records import AnnotatedVideo
from masklet.data.regions import ImageRegions, bsds_dev_regions, ccp_dev_regions, first_frame_regions
from masklet.evaluation.images import ImageScore, evaluate_images
from masklet.evaluation.scores import VosScore
from masklet.evaluation.vos import Prompt, evaluate_vos
from masklet.tracker import ImageSegmenter, Tracker

COLOURS = np.array(
    [[255, 60, 60], [60, 220, 60], [70, 120, 255], [255, 210, 40], [230, 70, 230], [60, 220, 230]], float
)
TILE_WIDTH = 256

PROMPTS: dict[str, tuple[Prompt, int]] = {"mask": ("mask", 1), "click": ("click", 1), "3 clicks": ("click", 3)}

Adapted = tuple[Tracker, ImageSegmenter, Callable[[], np.ndarray]]


def load(name: str, image_size: int) -> Adapted:
    """The one place that knows a model: its tracker, its segmenter, and the logits of the segmenter's last answer."""
    import masklet
    from masklet.inference.adapters import PredictorSegmenter, SessionTracker

    model = masklet.load(name, image_size=image_size)
    segmenter = PredictorSegmenter(model)

    def logits() -> np.ndarray:
        assert segmenter.logits is not None
        return segmenter.logits

    return SessionTracker(model), segmenter, logits


class ContactSheet:
    """A row for each sequence, five frames each: the prompt's, a quarter, half, three quarters, the last."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[int]] = {}
        self._tiles: dict[str, dict[int, np.ndarray]] = {}

    def add(self, video: AnnotatedVideo, frame: int, masks: Mapping[int, np.ndarray]) -> None:
        """Draw the frame if it belongs on the sheet; the first one that comes is the prompt's."""
        if video.name not in self._wanted:
            length = video.frame_count - 1 - frame
            self._wanted[video.name] = [round(frame + length * part) for part in (0, 0.25, 0.5, 0.75, 1)]
        if frame in self._wanted[video.name]:
            self._tiles.setdefault(video.name, {})[frame] = self._draw(video, frame, masks)

    def write(self, path: Path) -> None:
        """Write the sheet as a PNG."""
        rows = [np.hstack([tiles[frame] for frame in sorted(tiles)]) for tiles in self._tiles.values()]
        width = max(row.shape[1] for row in rows)
        sheet = np.vstack([np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in rows])
        path.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())

    @staticmethod
    def _draw(video: AnnotatedVideo, frame: int, masks: Mapping[int, np.ndarray]) -> np.ndarray:
        image = video.image(frame).astype(float)
        for object_id, mask in sorted(masks.items()):
            image[mask] = 0.5 * image[mask] + 0.5 * COLOURS[object_id % len(COLOURS)]
        scale = TILE_WIDTH / image.shape[1]
        tile = cv2.resize(image, (TILE_WIDTH, round(image.shape[0] * scale)), interpolation=cv2.INTER_AREA)
        tile = tile.round().astype(np.uint8)
        for truth in video.masks(frame).values() if frame in video.annotated else ():
            small = cv2.resize(truth.astype(np.uint8), tile.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            outlines, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(tile, outlines, -1, (255, 255, 255), 1)
        tile[:16] //= 3
        text = f"{video.name} {frame}"
        cv2.putText(tile, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
        return tile


def score_videos(tracker: Tracker, sequences: list[AnnotatedVideo], kind: str, sheet: ContactSheet) -> VosScore:
    """Scores from one kind of prompt, with a line of progress for each sequence."""
    prompt, clicks = PROMPTS[kind]
    began = time.perf_counter()

    def report(score) -> None:
        spent = time.perf_counter() - began
        print(f"{kind}: {score.name} J {score.j:.3f} F {score.f:.3f} ({spent:.0f} s)", file=sys.stderr, flush=True)

    return evaluate_vos(tracker, sequences, prompt, clicks=clicks, on_frame=sheet.add, on_sequence=report)


def score_images(adapted: Adapted, sets: Mapping[str, Iterable[ImageRegions]]) -> dict[str, ImageScore]:
    """Scores of every set of images."""
    _, segmenter, logits = adapted
    scores = {}
    for name, samples in sets.items():
        scores[name] = evaluate_images(segmenter, samples, logits=logits)
        print(f"{name}: {len(scores[name].masks)} masks done", file=sys.stderr, flush=True)
    return scores


def video_table(scores: Mapping[str, VosScore]) -> str:
    """A row for each sequence and J and F for each kind of prompt."""
    head = ["sequence"] + [f"{kind} {metric}" for kind in scores for metric in ("J", "F")]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for rows in zip(*(score.sequences for score in scores.values()), strict=True):
        cells = [f"{value:.3f}" for row in rows for value in (row.j, row.f)]
        lines.append(f"| {rows[0].name} | " + " | ".join(cells) + " |")
    means = [f"**{value:.3f}**" for score in scores.values() for value in (score.j, score.f)]
    lines.append("| **mean over sequences** | " + " | ".join(means) + " |")
    objects = [f"{value:.3f}" for score in scores.values() for value in (score.object_j, score.object_f)]
    lines.append("| mean over objects | " + " | ".join(objects) + " |")
    return "\n".join(lines)


def image_table(scores: Mapping[str, ImageScore]) -> str:
    """A row for each set of images: mean IoU over masks."""
    lines = ["| images | masks | 1 click | best of three | 3 clicks | box |", "|---|---|---|---|---|---|"]
    for name, score in scores.items():
        after = score.after_clicks
        values = (after[1], score.best_of_candidates, after[3], score.box)
        lines.append(f"| {name} | {len(score.masks)} | " + " | ".join(f"{v:.3f}" for v in values) + " |")
    return "\n".join(lines)


def as_json(videos: Mapping[str, VosScore], images: Mapping[str, ImageScore], settings: Mapping[str, object]) -> str:
    """Means first, then every value."""
    return json.dumps(
        {
            "settings": dict(settings),
            "videos": {
                kind: {"j": s.j, "f": s.f, "object_j": s.object_j, "object_f": s.object_f} for kind, s in videos.items()
            },
            "sequences": {kind: {q.name: {"j": q.j, "f": q.f} for q in s.sequences} for kind, s in videos.items()},
            "images": {
                name: {"clicks": s.after_clicks, "best_of_three": s.best_of_candidates, "box": s.box}
                for name, s in images.items()
            },
            "frames": {kind: [asdict(q) for q in s.sequences] for kind, s in videos.items()},
            "masks": {name: [asdict(m) for m in s.masks] for name, s in images.items()},
        },
        indent=1,
    )


def main(arguments: list[str] | None = None, load: Callable[[str, int], Adapted] = load) -> None:
    """Parse, score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/, images/ and splits.json")
    parser.add_argument("--model", default="nano", help="name or path of a checkpoint, or copy-first")
    parser.add_argument("--image-size", type=int, default=384, help="side of the model's square input in pixels")
    parser.add_argument("--videos", type=int, help="score only the first N sequences")
    parser.add_argument("--images", type=int, help="score only the first N images of each set (0: none)")
    parser.add_argument("--out", type=Path, help="JSON file to write; contact sheets are written beside it")
    options = parser.parse_args(arguments)

    sequences = list(open_plain_folders(options.data / "videos", "dev"))[: options.videos]
    sheets = {kind: ContactSheet() for kind in ("copy-first", *PROMPTS)}
    videos = {"copy-first": score_videos(CopyFirst(), sequences, "mask", sheets["copy-first"])}
    images: dict[str, ImageScore] = {}
    if options.model != "copy-first":
        adapted = load(options.model, options.image_size)
        for kind in PROMPTS:
            videos[kind] = score_videos(adapted[0], sequences, kind, sheets[kind])
        if options.images != 0:
            davis16 = [s for s in sequences if s.name.startswith("davis16")]
            sets = {
                "DAVIS-2016 first frames": first_frame_regions(davis16),
                "all first frames": first_frame_regions(sequences),
                "BSDS500": list_first(bsds_dev_regions(options.data), options.images),
                "CCP": list_first(ccp_dev_regions(options.data), options.images),
            }
            images = score_images(adapted, sets)
    print(f"\n{options.model} at {options.image_size} px, first-frame prompts\n\n{video_table(videos)}")
    if images:
        print(f"\n{image_table(images)}")
    if options.out is not None:
        settings = {"model": options.model, "image_size": options.image_size, "data": options.data.name}
        options.out.write_text(as_json(videos, images, settings))
        for kind in videos:
            sheets[kind].write(options.out.with_suffix(f".{kind.replace(' ', '-')}.png"))


def list_first(samples: Iterable[ImageRegions], count: int | None) -> Iterable[ImageRegions]:
    """The first ``count`` samples, all for None."""
    for index, sample in enumerate(samples):
        if count is not None and index >= count:
            return
        yield sample


if __name__ == "__main__":
    main()
