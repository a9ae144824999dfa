"""CVAT for video 1.1: masks, or tracks of polygons.

CVAT has no tracks of masks: it takes the first mask of a track and drops the rest. So every mask is a track of its own,
as CVAT writes them too, and the object's id is the group of its tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ..masks import rle
from ..masks.outlines import join_polygons, outline_pieces
from ..masks.rle import Rle
from ..video.atomic import make_folder
from .losses import Losses
from .options import WriteOptions
from .pictures import copy_picture
from .video_masks import VideoMasks


@dataclass(frozen=True)
class _Track:
    """A track of one object: its id in the file, kind of shapes, and their attributes by frame; outside in ``ends``."""

    id: int
    number: int
    kind: Literal["mask", "polygon"]
    shapes: Mapping[int, Mapping[str, str]]
    ends: frozenset[int]


def write_cvat(videos: Iterable[VideoMasks], out: Path, options: WriteOptions, losses: Losses) -> None:
    """Write ``<video>/annotations.xml``, a task each.

    Raises:
        ValueError: An object has the id 0 or below, which is no group (masks).
        LossError: Something would be lost, which ``losses`` refuse.
        OSError: A file cannot be written.
    """
    for video in videos:
        if options.polygons:
            losses.add("interpolated", video, count=video.count - len(video.masks))
        else:
            losses.unsaid(video)
            losses.all_frames(video)
        losses.shown_frames(video)
        folder = make_folder(out / video.flat)
        with (folder / "annotations.xml").open("x", encoding="utf-8") as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
            _write_meta(file, video, options)
            for track in _polygon_tracks(video, losses) if options.polygons else _mask_tracks(video):
                _write_track(file, track, video.categories.get(track.number, options.category))
            file.write("</annotations>\n")
        if options.pictures:
            for frame, picture in enumerate(video.files):
                copy_picture(video, frame, folder / "images" / f"frame_{frame:06d}{Path(picture).suffix}")


def _write_meta(file: TextIO, video: VideoMasks, options: WriteOptions) -> None:
    height, width = video.size
    labels = dict.fromkeys(video.categories.get(number, options.category) for number in video.objects)
    file.write(f"<meta><task><name>{escape(video.folder)}</name><size>{video.count}</size><mode>interpolation</mode>")
    file.write(f"<start_frame>0</start_frame><stop_frame>{max(video.count - 1, 0)}</stop_frame><labels>")
    file.write("".join(f"<label><name>{escape(name)}</name><attributes/></label>" for name in labels))
    file.write(
        f"</labels><original_size><width>{width}</width><height>{height}</height></original_size></task></meta>\n"
    )


def _write_track(file: TextIO, track: _Track, label: str) -> None:
    group = f' group_id="{track.number}"' if track.kind == "mask" else ""
    file.write(f'<track id="{track.id}" label={quoteattr(label)} source="file"{group}>\n')
    for frame, attributes in track.shapes.items():
        stated = {
            "frame": str(frame),
            "keyframe": "1",
            "outside": "1" if frame in track.ends else "0",
            "occluded": "0",
            **attributes,
            "z_order": "0",
        }
        inside = " ".join(f"{name}={quoteattr(value)}" for name, value in stated.items())
        file.write(f"  <{track.kind} {inside}></{track.kind}>\n")
    file.write("</track>\n")


def _mask_tracks(video: VideoMasks) -> Iterator[_Track]:
    """A track for each mask, which ends in the next frame where there is one."""
    place = 0
    for frame, masks in video.masks.items():
        for number, code in masks.items():
            if number < 1:
                raise ValueError(
                    f"{video.where}: {video.name} has object {number} in frame {frame}, masks of CVAT are grouped by "
                    "ids from 1: renumber the objects (--renumber), or write polygons"
                )
            shape = _mask(code)
            after = {frame + 1: shape} if frame + 1 < video.count else {}
            yield _Track(place, number, "mask", {frame: shape, **after}, frozenset(after))
            place += 1


def _polygon_tracks(video: VideoMasks, losses: Losses) -> Iterator[_Track]:
    """A track for each object, with every annotated frame as a key frame."""
    for number in video.objects:
        shapes: dict[int, Mapping[str, str]] = {}
        ends: set[int] = set()
        last: Mapping[str, str] | None = None
        for frame, masks in video.masks.items():
            if number in masks:
                last = shapes[frame] = _polygon(video, frame, number, masks[number], losses)
            elif last is not None and number not in video.unknown.get(frame, ()):
                shapes[frame] = last
                ends.add(frame)
        yield _Track(number, number, "polygon", shapes, frozenset(ends))


def _mask(code: Rle) -> dict[str, str]:
    """Runs inside the box of a mask, row by row, background first."""
    left, top, width, height = (int(value) for value in rle.box(code))
    flat = rle.decode(code)[top : top + height, left : left + width].ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(changes, prepend=0, append=flat.size).tolist()
    counts = ", ".join(map(str, [0, *runs] if flat[0] else runs))
    return {"rle": counts, "left": str(left), "top": str(top), "width": str(width), "height": str(height)}


def _polygon(video: VideoMasks, frame: int, number: int, code: Rle, losses: Losses) -> dict[str, str]:
    polygons, pierced = outline_pieces(rle.decode(code))
    losses.add("bridge", video, f"frame {frame}, object {number}", int(pierced > 0 or len(polygons) > 1))
    corners = join_polygons(polygons)
    return {"points": ";".join(f"{x:.2f},{y:.2f}" for x, y in zip(corners[0::2], corners[1::2], strict=True))}
