"""Export of a project: its masklets in a format of other tools, as one zip archive."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import av
import numpy as np

from ..data.sa_v import STEP
from ..interchange.convert import WRITERS
from ..interchange.losses import Losses
from ..interchange.options import WriteOptions
from ..interchange.video_masks import VideoMasks
from ..masks import rle
from ..video.annotation_json import SaVJsonWriter
from ..video.atomic import make_folder, temporary_beside
from ..video.encoded_video import Coding, EncodedVideo, rate_of
from ..video.overlay_video import OverlayVideoWriter
from .archives import zip_folder
from .database import Database
from .export_job import FORMATS, Format
from .finished_masks import FinishedVideo, Which, annotated_every, finished_video, ready_videos
from .workspace import Workspace

_ZIPPING = 0.1  # share of the time, for the progress that is told


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        videos: Number of videos.
        objects: Number of masklets.
        masks: Number of masks that are not empty.
        losses: What the format could not hold, in words.
    """

    videos: int
    objects: int
    masks: int
    losses: tuple[str, ...]


def export_project(
    database: Database,
    workspace: Workspace,
    project_id: int,
    format: Format,
    out: Path,
    on_progress: Callable[[float], None] | None = None,
    *,
    which: Which = "satisfactory",
) -> Exported:
    """Write the newest masklets of a project with their pictures; one video at a time is held in memory.

    Args:
        database: The tables.
        workspace: Where the frames lie.
        project_id: The project.
        format: SA-V (movie and JSON files), DAVIS, YouTube-VIS, COCO (run lengths), CVAT for video (masks), Label
            Studio (brush), or movies with the masks drawn in.
        out: The archive, which appears when it is complete; one that is there is replaced.
        on_progress: Is told how much is done, 0 to 1; what it raises ends the export.
        which: Masklets that a verifier accepted, or all.

    Raises:
        ValueError: There is no such format, nothing to export, or the format cannot hold what the project annotates.
        OSError: Something cannot be read or written.
    """
    if format not in FORMATS:
        raise ValueError(f"there is no format {format!r} to export, expected one of {', '.join(FORMATS)}")
    with database.reading() as db:
        videos, every = ready_videos(db, project_id), annotated_every(db, project_id)
    if format == "sa_v" and STEP % every:
        raise ValueError(f"SA-V has every {STEP}th frame, this project annotates every {every}: take another format")
    counted, losses = _Counted(), Losses()
    folder = temporary_beside(out)
    make_folder(folder)
    try:
        found = _read(database, workspace, videos, which, counted, on_progress)
        if format == "sa_v":
            _write_sa_v(found, folder, losses)
        elif format == "overlay":
            _write_overlays(found, folder, every)
        else:
            WRITERS[format]((one.masks for one in found), folder, WriteOptions(pictures=True), losses)
        if not counted.videos:
            what = "satisfactory masklets" if which == "satisfactory" else "masklets"
            raise ValueError(f"the project has no {what} yet: there is nothing to export")
        zip_folder(folder, out, _part(on_progress, 1 - _ZIPPING, 1.0))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Exported(counted.videos, counted.objects, counted.masks, tuple(losses.sentences))


@dataclass
class _Counted:
    videos: int = 0
    objects: int = 0
    masks: int = 0


def _read(
    database: Database,
    workspace: Workspace,
    videos: list[tuple[int, str]],
    which: Which,
    counted: _Counted,
    on_progress: Callable[[float], None] | None,
) -> Iterator[FinishedVideo]:
    report = _part(on_progress, 0.0, 1 - _ZIPPING)
    for done, (video_id, name) in enumerate(videos, start=1):
        with database.reading() as db:
            found = finished_video(db, workspace, video_id, name, which)
        if found is not None:
            counted.videos += 1
            counted.objects += len(found.edited)
            counted.masks += sum(map(len, found.masks.masks.values()))
            with closing(found.pictures):
                yield found
        if report is not None:
            report(done / len(videos))


def _part(report: Callable[[float], None] | None, first: float, last: float) -> Callable[[float], None] | None:
    """Tells the progress of a part as that of the whole."""
    return None if report is None else lambda share: report(first + share * (last - first))


def _write_sa_v(videos: Iterable[FinishedVideo], out: Path, losses: Losses) -> None:
    """Write ``<video>.mp4`` and, as far as there are such masklets, ``<video>_manual.json`` and ``<video>_auto.json``.

    Edited frames are counted and stabilities given; published files have the latter of automatic masklets only.
    """
    for video in videos:
        masks = video.masks
        losses.nameless(masks)
        losses.unsaid(masks)
        losses.add("step", masks, count=sum(frame % STEP != 0 for frame in masks.masks))
        for kind, ids in groupby(sorted(masks.objects, key=_kind(video)), key=_kind(video)):
            _write_sa_v_json(video, kind, frozenset(ids), out / f"{masks.flat}_{kind}.json")
        _write_movie(masks, out / f"{masks.flat}.mp4", video.fps)


def _kind(video: FinishedVideo) -> Callable[[int], str]:
    return lambda number: "auto" if number in video.automatic else "manual"


def _write_sa_v_json(video: FinishedVideo, kind: str, ids: frozenset[int], path: Path) -> None:
    masks = video.masks
    writer = SaVJsonWriter(
        path,
        masks.size,
        video_id=masks.flat,
        frame_count=masks.count,
        fps=video.fps or 24.0,
        step=STEP,
        kind=kind,
        edited=video.edited,
    )
    with writer:
        for frame, codes in masks.masks.items():
            drawn = {number: rle.decode(code) for number, code in codes.items() if number in ids}
            writer.add(frame, drawn, stability=video.stability.get(frame))


def _write_movie(video: VideoMasks, path: Path, fps: float | None) -> None:
    """H.264 of all frames; colour at half the size, as players want it, where the sides are even."""
    assert video.frames is not None
    pixels = "yuv444p" if video.size[0] % 2 or video.size[1] % 2 else "yuv420p"
    coding = Coding("mp4", "libx264", pixels, {"crf": "17", "preset": "veryfast"}, {"movflags": "+faststart"})
    file = EncodedVideo(path, video.size, coding, rate=rate_of(fps))
    try:
        for frame in range(video.count):
            file.add(av.VideoFrame.from_ndarray(np.ascontiguousarray(video.frames.image(frame)), format="rgb24"))
    except BaseException:
        file.drop()
        raise
    file.close()


def _write_overlays(videos: Iterable[FinishedVideo], out: Path, every: int) -> None:
    """Write ``<video>.mp4`` of the annotated frames, at the speed of the video."""
    for video in videos:
        masks = video.masks
        assert masks.frames is not None
        with OverlayVideoWriter(out / f"{masks.flat}.mp4", masks.size, fps=(video.fps or 24.0) / every) as writer:
            for frame in range(0, masks.count, every):
                drawn = {number: rle.decode(code) for number, code in masks.masks.get(frame, {}).items()}
                writer.add(frame, drawn, frame=masks.frames.image(frame))
