"""What tracking writes: the formats by name, in the order of frames each of them needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ..masks.rle import Rle, decode, encode
from ..video.annotation_json import CocoRleJsonWriter, SaVJsonWriter
from ..video.atomic import write_bytes
from ..video.cut_out import CutOutPngWriter
from ..video.cut_out_video import CutOutVideoWriter
from ..video.frames import FrameSource
from ..video.mask_files import is_written_mask
from ..video.overlay_video import OverlayVideoWriter
from ..video.writer import MaskPngWriter, MaskWriter, ObjectPngWriter, check_indexed_id
from .output_folder import check_folder, make_output, refuse_overwriting, remove_files

if TYPE_CHECKING:
    from ..inference.results import FrameResult

Format = Literal["png", "objects", "coco", "sa-v", "overlay", "rgba", "matte", "prores", "vp9"]
PLACES: dict[Format, str] = {
    "png": "masks",
    "objects": "objects",
    "coco": "masks.coco.json",
    "sa-v": "masks.sav.json",
    "overlay": "overlay.mp4",
    "rgba": "rgba",
    "matte": "matte",
    "prores": "prores",
    "vp9": "vp9",
}
SCORES = "scores.json"
_FRAMES: dict[Format, re.Pattern[str]] = {  # files of the formats that are folders
    "png": re.compile(r"masks/\d{5,}\.png"),
    "objects": re.compile(r"objects/\d{3,}/\d{5,}\.png"),
    "rgba": re.compile(r"rgba/\d{3,}/\d{5,}\.png"),
    "matte": re.compile(r"matte/\d{3,}/\d{5,}\.png"),
    "prores": re.compile(r"prores/\d{3,}\.mov"),
    "vp9": re.compile(r"vp9/\d{3,}\.webm"),
}
_PICTURED: set[Format] = {"overlay", "rgba", "prores", "vp9"}
_RISING: set[Format] = {"overlay", "prores", "vp9"}


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
) -> Generator[FrameResult, None, None]:
    """Write frames as they come and yield them on.

    Nothing is touched before the first frame has come. Then what an earlier run left in the folder is removed, so that
    old and new never mix. If the run ends early, the scores and the COCO file say what they can of the finished frames.

    Args:
        results: Frames from a session.
        source: Where pictures come from.
        out: Folder to write into.
        formats: What to write.
        rising: Whether frames come in rising order; if not, videos, which need it, are made at the end.
    """
    first = next(results, None)
    if first is None:
        return
    make_output(out)
    scores = Scores()
    with ExitStack() as stack:
        writers: dict[Format, MaskWriter] = {}
        for name in formats:
            writers[name] = _writer(name, source, out)
            if not isinstance(writers[name], CocoRleJsonWriter):  # see _finish
                stack.enter_context(writers[name])
        stack.callback(_finish, scores, [*writers.values()], out)
        remove_files(leftovers(out), out)
        late = [writers.pop(name) for name in formats if name in _RISING and not rising]
        kept: dict[int, dict[int, Rle]] = {}
        for result in chain((first,), results):
            masks = shown(result)
            picture = source.frame(result.frame) if _PICTURED & writers.keys() else None
            for writer in writers.values():
                writer.add(result.frame, masks, frame=picture)
            scores.add(result)
            if late:
                kept[result.frame] = {i: encode(mask) for i, mask in masks.items()}
            yield result
        for frame in sorted(kept):
            masks = {i: decode(rle) for i, rle in kept[frame].items()}
            for writer in late:
                writer.add(frame, masks, frame=source.frame(frame))


def _finish(scores: Scores, writers: list[MaskWriter], out: Path) -> None:
    """Write the files that can tell of a part of the frames, whatever ended the run."""
    if scores.frames:
        for writer in writers:
            if isinstance(writer, CocoRleJsonWriter):
                writer.close()
        scores.write(out / SCORES)


def check_output(
    out: Path, formats: list[Format], source: FrameSource, masks: Collection[Path], objects: Collection[int]
) -> None:
    """Refuse what would fail or do harm once frames are written; nothing is written or made here.

    Args:
        out: Folder to write into.
        formats: What to write.
        source: The video.
        masks: Mask files that are prompts.
        objects: Ids of the objects.

    Raises:
        OSError: The folder cannot be written into.
        ValueError: An input would be overwritten, or a format cannot hold what it should.
    """
    check_folder(out)
    if "sa-v" in formats and source.length is None:
        raise ValueError("sa-v needs a source of known length: write the stream to a file first")
    if "png" in formats:
        check_indexed_id(max(1, *objects))  # one below 1 is for the session to refuse
    replaced = [*named(out, formats), *leftovers(out)]
    refuse_overwriting([*source.files, *masks], replaced)
    among = next((file for file in source.files if file.resolve().parent == (out / "masks").resolve()), None)
    if among is not None and "png" in formats:
        raise ValueError(f"this would write masks among the frames of the input, beside {among}; choose another -o")


def named(out: Path, formats: Collection[Format]) -> list[Path]:
    """Files in a folder that have a name under which these formats, or the scores, are written."""
    files = [out / PLACES[name] for name in formats if name not in _FRAMES] + [out / SCORES]
    for name in formats:
        if name in _FRAMES:
            inside = (out / PLACES[name]).rglob("*")
            files += [path for path in inside if _FRAMES[name].fullmatch(path.relative_to(out).as_posix())]
    return sorted(path for path in files if path.is_file())


def leftovers(out: Path) -> list[Path]:
    """Files of an earlier run, whatever formats it wrote: PNG files that say so, and others if its scores are there."""
    earlier = (out / SCORES).is_file()
    every = named(out, get_args(Format))
    return [path for path in every if (is_written_mask(path) if path.suffix == ".png" else earlier)]


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
        assert count is not None, "see check_output"
        step = max(1, round(fps / 6))
        return SaVJsonWriter(path, size, video_id=Path(source.name).stem, frame_count=count, fps=fps, step=step)
    if name == "rgba":
        return CutOutPngWriter(path, size)
    if name == "matte":
        return CutOutPngWriter(path, size, matte=True)
    if name == "overlay":
        return OverlayVideoWriter(path, size, fps=source.fps)
    return CutOutVideoWriter(path, size, name, fps=source.fps, times=source.times)
