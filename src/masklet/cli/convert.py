"""``masklet convert``: annotations from one format to another."""

from __future__ import annotations

import json as encoder
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ..interchange.options import Target, WriteOptions

if TYPE_CHECKING:
    from ..interchange.convert import Conversion


def convert(
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")],
    dest: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DEST")],
    /,
    to: Target,
    from_: Annotated[str | None, tyro.conf.arg(name="from", metavar="FORMAT")] = None,
    split: str | None = None,
    video: str | None = None,
    polygons: bool = False,
    category: str = "object",
    pictures: bool = False,
    renumber: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Convert masks of videos and images from one format to another, and say what the new one cannot hold.

    Args:
        source: A data set (folder, annotation file, or s3://bucket/folder), a saved session, or what masklet track
            wrote (masks, objects, masks.coco.json).
        dest: Folder to write, complete or not at all.
        to: The format to write.
        from_: Format of the source: one that masklet data check reads, or session; by default it is recognised.
        split: Part of the source, such as train or val.
        video: Movie or folder of images with the frames, where the source is of one video and lacks them.
        polygons: Write outlines instead of run lengths (coco, cvat).
        category: Category of objects that have none, where the format needs one.
        pictures: Copy the pictures too; frames of movies become JPEG files.
        renumber: Number the objects of each video from 1; some formats cannot hold 0, or ids above 255.
        strict: Write nothing if anything would be lost.
        overwrite: Replace DEST if an earlier conversion made it.
        json: Print one JSON object in place of sentences.
    """
    from ..interchange.convert import convert as run

    done = run(
        source,
        dest,
        to,
        format=from_,
        split=split,
        video=video,
        options=WriteOptions(polygons=polygons, category=category, pictures=pictures),
        renumber=renumber,
        strict=strict,
        overwrite=overwrite,
    )
    if json:
        print(encoder.dumps({"dest": str(dest), "to": to, **asdict(done)}, indent=1))
    else:
        _say(done, dest, to)
    return 0


def _say(done: Conversion, dest: Path, to: str) -> None:
    for sentence in done.sentences:
        print(f"not kept: {sentence}", file=sys.stderr)
    changed = f", {done.renumbered:,} with a new id" if done.renumbered else ""
    kind = "image" if done.stills else "video"
    counts = f"{_many(done.videos, kind)}, {_many(done.objects, 'object')}{changed}, {_many(done.masks, 'mask')}"
    print(f"wrote {counts} to {dest} ({to})")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
