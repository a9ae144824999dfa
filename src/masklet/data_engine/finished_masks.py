"""What a video has come to: the newest masklet of each object, as run lengths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from sqlalchemy import select

from ..interchange.video_masks import VideoMasks
from ..masks.rle import Rle
from .database import Db, found
from .packed_frames import PackedFrames
from .schema import Object, Project, Video
from .stored_masks import masks_of, newest_masklets
from .workspace import Workspace

Which = Literal["satisfactory", "all"]
"""Masklets that a verifier accepted, or all that were handed in and neither rejected nor removed."""
_LEFT_OUT = ("ill_defined", "removed")
_UNNAMED = re.compile(r"object \d+", re.IGNORECASE)


@dataclass(frozen=True)
class FinishedVideo:
    """The masks of a video, and what only some formats can say.

    Attributes:
        masks: The masks and the pictures; frames that are not annotated have no entry.
        pictures: The pictures, to be closed.
        fps: Frames per second, where the video has a clock.
        automatic: Objects that nobody drew.
        edited: Annotated frames that were prompted, by object.
        stability: Of the masks, by frame and object, 0..1.
    """

    masks: VideoMasks
    pictures: PackedFrames
    fps: float | None
    automatic: frozenset[int]
    edited: Mapping[int, int]
    stability: Mapping[int, Mapping[int, float]]


def ready_videos(db: Db, project_id: int) -> list[tuple[int, str]]:
    """Ids of the videos of a project that can be worked on, each with a name that is good for a file and its own."""
    rows = db.scalars(select(Video).where(Video.project_id == project_id, Video.state == "ready").order_by(Video.id))
    videos = list(rows)
    return [(video.id, name) for video, name in zip(videos, file_names(v.name for v in videos), strict=True)]


def file_names(names: Iterable[str]) -> Iterator[str]:
    """Names for files, made of names that users gave: no suffix, nothing that a file system may object to, no two."""
    taken: set[str] = set()
    for given in names:
        plain = re.sub(r"[^\w.-]+", "_", stem(given)).strip("._") or "video"
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.casefold())
        yield name


def stem(name: str) -> str:
    """The name of a video without the suffix of its file."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.stem if re.fullmatch(r"\.[A-Za-z0-9]{2,4}", path.suffix) else path.name


def finished_video(
    db: Db, workspace: Workspace, video_id: int, name: str, which: Which = "satisfactory"
) -> FinishedVideo | None:
    """The masks of a video; None where no object has any.

    Args:
        db: A transaction.
        workspace: Where the frames lie.
        video_id: The video, which is ready.
        name: What it is called in the data set.
        which: Which masklets.
    """
    video = found(db, Video, video_id)
    assert video.width and video.height and video.frames, "a ready video has a size"
    wanted = [one for one in _objects(db, video_id) if which == "all" or one.state == "satisfactory"]
    newest = newest_masklets(db, video_id)
    masklets = {one.number: newest[one.number] for one in wanted if one.number in newest}
    if not masklets:
        return None
    size = video.height, video.width
    masks: dict[int, dict[int, Rle]] = {}
    named: dict[int, set[int]] = {}
    stability: dict[int, dict[int, float]] = {}
    for number, masklet in sorted(masklets.items()):
        for one in masks_of(db, masklet.id):
            masks.setdefault(one.frame, {})
            named.setdefault(one.frame, set()).add(number)
            stability.setdefault(one.frame, {})[number] = one.stability
            if one.area:
                masks[one.frame][number] = {"size": [*size], "counts": one.counts.decode("ascii")}
    unknown = {frame: frozenset(masklets.keys() - numbers) for frame, numbers in named.items()}
    categories = {one.number: one.name for one in wanted if not _UNNAMED.fullmatch(one.name)}
    pictures = PackedFrames(video.name, workspace.pack(video.key))
    return FinishedVideo(
        VideoMasks(
            name,
            size,
            tuple(f"{frame:05d}.jpg" for frame in range(video.frames)),
            {frame: masks[frame] for frame in sorted(masks)},
            {frame: numbers for frame, numbers in sorted(unknown.items()) if numbers},
            {number: category for number, category in categories.items() if number in masklets},
            False,
            pictures,
            video.name,
        ),
        pictures,
        video.fps,
        frozenset(one.number for one in wanted if one.origin == "automatic"),
        {number: masklet.edited for number, masklet in masklets.items()},
        stability,
    )


def annotated_every(db: Db, project_id: int) -> int:
    """Distance of the annotated frames of a project.

    Raises:
        NotFound: There is no such project.
    """
    return found(db, Project, project_id).every


def _objects(db: Db, video_id: int) -> list[Object]:
    chosen = select(Object).where(Object.video_id == video_id, Object.state.not_in(_LEFT_OUT)).order_by(Object.number)
    return list(db.scalars(chosen))
