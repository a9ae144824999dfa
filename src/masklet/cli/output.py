"""What tracking writes: the formats by name, in the order of frames each of them needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from masklet.inference.results import FrameResult
from masklet.masks.rle import decode
from masklet.video.annotation_json import CocoRleJsonWriter, SaVJsonWriter
from masklet.video.atomic import write_bytes
from masklet.video.frames import FrameSource
from masklet.video.overlay_video import OverlayVideoWriter
from masklet.video.writer import MaskPngWriter, MaskWriter, ObjectPngWriter

Format = Literal["png", "objects", "coco", "sa-v", "overlay"]
PLACES: dict[Format, str] = {
    "png": "masks",
    "objects": "objects",
    "coco": "masks.coco.json",
    "sa-v": "masks.sav.json",
    "overlay": "overlay.mp4",
}


@dataclass
class Scores:
    """Predicted IoU, presence and area of each object on each frame."""

    frames: dict[int, dict[int, dict[str, float]]] = field(default_factory=dict)

    def add(self, result: FrameResult) -> None:
        """Note one frame."""
        for i, one in result.items():
            note = {"iou": round(one.iou, 4), "presence": round(one.presence, 3), "area": one.area}
            self.frames.setdefault(i, {})[result.frame] = note

    def write(self, path: Path) -> None:
        """Write them as JSON, complete or not at all."""
        import json

        write_bytes(path, json.dumps(self.frames, indent=1).encode())


def write_results(
    results: Iterator[FrameResult], source: FrameSource, out: Path, formats: list[Format], rising: bool
) -> Iterator[FrameResult]:
    """Write frames as they come and yield them on.

    Args:
        results: Frames from a session.
        source: Where pictures come from.
        out: Folder to write into.
        formats: What to write.
        rising: Whether frames come in rising order; if not, files that need it are made at the end.
    """
    out.mkdir(parents=True, exist_ok=True)
    scores = Scores()
    with ExitStack() as stack:
        at_once: list[MaskWriter] = []
        in_order: list[MaskWriter] = []
        for name in formats:
            direct = rising or name in ("png", "objects")
            (at_once if direct else in_order).append(stack.enter_context(_writer(name, source, out)))
        kept: dict[int, dict[int, dict]] = {}
        for result in results:
            scores.add(result)
            masks = shown(result)
            picture = source.frame(result.frame) if "overlay" in formats and rising else None
            for writer in at_once:
                writer.add(result.frame, masks, frame=picture)
            if in_order:
                kept[result.frame] = {i: one.rle() for i, one in result.items()}
            yield result
        for frame in sorted(kept):
            masks = {i: decode(rle) for i, rle in kept[frame].items()}
            for writer in in_order:
                writer.add(frame, masks, frame=source.frame(frame))
    scores.write(out / "scores.json")


def shown(result: FrameResult) -> Mapping[int, np.ndarray]:
    """Masks of a frame without overlaps: a pixel goes to the object that is surer of it."""
    if len(result) < 2:
        return result.masks
    labels = result.label_map()
    return {i: labels == i for i in result}


def _writer(name: Format, source: FrameSource, out: Path) -> MaskWriter:
    path, size = out / PLACES[name], source.size
    if name == "png":
        return MaskPngWriter(path, size)
    if name == "objects":
        return ObjectPngWriter(path, size)
    if name == "coco":
        return CocoRleJsonWriter(path, size)
    if name == "sa-v":
        fps = source.fps or 24.0
        count = source.length
        if count is None:
            raise ValueError("sa-v needs a source of known length: write the stream to a file first")
        step = max(1, round(fps / 6))
        return SaVJsonWriter(path, size, video_id=Path(source.name).stem, frame_count=count, fps=fps, step=step)
    return OverlayVideoWriter(path, size, fps=source.fps)
