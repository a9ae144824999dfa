"""Import of masks that were made elsewhere: objects and masklets for the videos of a project that have their names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

import numpy as np

from ..data.open import open_dataset
from ..data.records import AnnotatedVideo, VideoDataset
from ..interchange.options import WriteOptions
from ..interchange.video_masks import VideoMasks, read_masks
from ..masks import rle
from ..masks.rle import Rle
from ..video.atomic import make_folder, temporary_beside
from ..video.images import DEFAULT_MAX_PIXELS
from .archives import ArchiveLimits, unzip
from .database import Database, Db, found
from .errors import NotFound
from .finished_masks import ready_videos, stem
from .objects import add_object
from .schema import ObjectState, Project, Video
from .stored_masks import StoredMask, store_masklet
from .tasks import add_verify_tasks_for_automatic

ImportFormat = Literal["sa_v", "davis", "youtube_vis", "coco", "cvat", "label_studio"]
IMPORT_FORMATS: tuple[ImportFormat, ...] = get_args(ImportFormat)
_CERTAIN = 10.0  # presence logit of a mask that somebody else vouches for
_LAST_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True)
class Imported:
    """What was taken over.

    Attributes:
        videos: Number of videos that got objects.
        objects: Number of objects.
        masks: Number of masks that are not empty.
        between: Number of masks that were left out, on frames that the project does not annotate.
        without_video: Names in the data set that no video of the project has.
    """

    videos: int
    objects: int
    masks: int
    between: int
    without_video: tuple[str, ...]


def import_masklets(
    database: Database,
    project_id: int,
    source: Path,
    format: ImportFormat,
    *,
    user_id: int | None = None,
    state: ObjectState = "proposed",
    limits: ArchiveLimits | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Imported:
    """Add the objects of a data set to the videos that have its names; a video is changed wholly or not at all.

    Images of COCO and Label Studio belong to the video that their folder is named after, and are its frame of the
    number that their name ends with: ``walk/00012.jpg``. Objects get the next free numbers and are of origin imported.

    Args:
        database: The tables.
        project_id: The project.
        source: A zip archive, a folder, or one annotation file.
        format: Its format.
        user_id: Who imports.
        state: Of the new objects: ``proposed`` to be verified, ``satisfactory`` where they have been.
        limits: What an archive may hold.
        on_progress: Is told how much is done, 0 to 1; what it raises ends the import.

    Raises:
        ValueError: The format is unknown, the source damaged, or its masks are not of the video's size or length.
        NotFound: There is no such project, or none of its videos has a name of the data set.
        OSError: Something cannot be read.
    """
    if format not in IMPORT_FORMATS:
        raise ValueError(f"there is no format {format!r} to import, expected one of {', '.join(IMPORT_FORMATS)}")
    videos = database.run(_videos_by_name, project_id)
    counts, objects, masks, between, unmatched = 0, 0, 0, 0, []
    with _unpacked(source, limits) as root:
        dataset = open_dataset(_root(root), format)
        for masks_of_video, done in _read(dataset):
            video_id = videos.get(stem(masks_of_video.name))
            if video_id is None:
                unmatched.append(masks_of_video.name)
            elif masks_of_video.objects:
                kept, dropped = database.run(_add, video_id, masks_of_video, user_id, state)
                masks, between = masks + kept, between + dropped
                objects += len(masks_of_video.objects)
                counts += 1
            if on_progress is not None:
                on_progress(done)
    if not counts and unmatched:
        some = ", ".join(unmatched[:3])
        raise NotFound(f"no video of the project is called like those of the data set ({some}): rename or add them")
    return Imported(counts, objects, masks, between, tuple(unmatched))


@contextmanager
def _unpacked(source: Path, limits: ArchiveLimits | None) -> Iterator[Path]:
    if source.is_dir() or source.suffix.lower() in (".json", ".xml"):
        yield source
        return
    folder = temporary_beside(source)
    make_folder(folder)
    try:
        unzip(source, folder, limits)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _root(folder: Path) -> Path:
    """Where the data set begins: archives often hold one folder with everything in it."""
    inner = [one for one in folder.iterdir() if not one.name.startswith((".", "__"))] if folder.is_dir() else []
    wrapped = len(inner) == 1 and inner[0].is_dir() and inner[0].name != "annotations"
    return inner[0] if wrapped and not (inner[0] / "annotations.xml").is_file() else folder


def _videos_by_name(db: Db, project_id: int) -> dict[str, int]:
    """Ids by the names that exports give, and by the names that the videos have."""
    found(db, Project, project_id)
    exported = {name: video_id for video_id, name in ready_videos(db, project_id)}
    named = {stem(found(db, Video, video_id).name): video_id for video_id in exported.values()}
    return {**exported, **named}


def _read(dataset: VideoDataset) -> Iterator[tuple[VideoMasks, float]]:
    """The videos of a data set, each with the share of the data set that is read by then."""
    if not dataset.stills:
        for done, video in enumerate(dataset, start=1):
            yield _masks(video, still=False), done / len(dataset)
        return
    grouped: dict[str, dict[int, VideoMasks]] = {}
    for video in dataset:
        masks = _masks(video, still=True)
        path = PurePosixPath(masks.name)
        number = _LAST_NUMBER.search(path.stem)
        if not path.parent.name or number is None:
            raise ValueError(f"image {masks.name} has no folder or no number: expected names like video/00012.jpg")
        grouped.setdefault(path.parent.name, {})[int(number[1])] = masks
    for done, (name, frames) in enumerate(sorted(grouped.items()), start=1):
        yield _joined(name, frames), done / len(grouped)


def _masks(video: AnnotatedVideo, *, still: bool) -> VideoMasks:
    """Its masks, once its name leads nowhere else and its size is one that is read: files may say anything.

    Raises:
        ValueError: They do.
    """
    if video.name.startswith("/") or ".." in PurePosixPath(video.name).parts:
        raise ValueError(f"the data set has a video {video.name!r:.80}, which is no name: rename it")
    height, width = video.size
    if height * width > DEFAULT_MAX_PIXELS:
        raise ValueError(f"{video.name} has {width}x{height} pixels, expected at most {DEFAULT_MAX_PIXELS:,}")
    return read_masks(video, still=still)


def _joined(name: str, frames: dict[int, VideoMasks]) -> VideoMasks:
    """Images as frames of one video."""
    ordered = sorted(frames.items())
    first = ordered[0][1]
    wrong = next((one for _, one in ordered if one.size != first.size), None)
    if wrong is not None:
        raise ValueError(f"{wrong.name} is of another size than {first.name}: frames of a video have one size")
    return replace(
        first,
        name=name,
        files=tuple(f"{frame:05d}.jpg" for frame in range(ordered[-1][0] + 1)),
        masks={frame: one.masks.get(0, {}) for frame, one in ordered},
        unknown={frame: one.unknown[0] for frame, one in ordered if 0 in one.unknown},
        categories={number: category for _, one in ordered for number, category in one.categories.items()},
        still=False,
    )


def _add(db: Db, video_id: int, masks: VideoMasks, user_id: int | None, state: ObjectState) -> tuple[int, int]:
    """Add the objects of a video; gives the numbers of masks that are not empty, kept and left out."""
    video = found(db, Video, video_id)
    every = found(db, Project, video.project_id).every
    size, frames = (video.height, video.width), video.frames or 0
    if masks.size != size or max(masks.masks, default=-1) >= frames:
        raise ValueError(
            f"{masks.name} has masks of {masks.size[1]}x{masks.size[0]} pixels up to frame {max(masks.masks)}, the "
            f"video has {frames} frames of {size[1]}x{size[0]}: they do not belong together"
        )
    annotated = {frame: codes for frame, codes in masks.masks.items() if frame % every == 0}
    for number in masks.objects:
        category = masks.categories.get(number)
        name = None if category == WriteOptions().category else category
        made = add_object(db, video_id, user_id, name=name, origin="imported", state=state)
        rows = [
            _stored(frame, codes.get(number), masks.size)
            for frame, codes in annotated.items()
            if number not in masks.unknown.get(frame, ())
        ]
        store_masklet(db, made.id, rows, user_id=user_id)
    if state == "proposed":
        add_verify_tasks_for_automatic(db, video_id)
    kept = sum(map(len, annotated.values()))
    return kept, sum(map(len, masks.masks.values())) - kept


def _stored(frame: int, code: Rle | None, size: tuple[int, int]) -> StoredMask:
    if code is None:
        return StoredMask(frame, _nothing(size), 0, 1.0, -_CERTAIN, 1.0, False)
    return StoredMask(frame, code["counts"].encode("ascii"), rle.area(code), 1.0, _CERTAIN, 1.0, False)


@lru_cache(maxsize=8)
def _nothing(size: tuple[int, int]) -> bytes:
    """Run lengths of an empty mask."""
    return rle.encode(np.zeros(size, bool))["counts"].encode("ascii")
