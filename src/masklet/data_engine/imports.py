"""Import of masks that were made elsewhere: objects and masklets for the videos of a project that have their names.

What users send is unpacked and read in a process of its own, as videos are (:mod:`~masklet.data_engine.ingest`), which
leaves masks that belong to the project's videos in a folder. Only when all was read and found good is any of it stored.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from ..video.atomic import make_folder, temporary_beside
from .child import ChildError, ChildLimits, run_child
from .database import Database, Db, found
from .errors import NotFound
from .finished_masks import ready_videos, stem
from .objects import add_object
from .schema import ObjectState, Project, Video
from .staged_masklets import StagedMasklet, staged
from .stored_masks import store_masklet
from .tasks import add_verify_tasks_for_automatic

ImportFormat = Literal["sa_v", "davis", "youtube_vis", "coco", "cvat", "label_studio"]
IMPORT_FORMATS: tuple[ImportFormat, ...] = get_args(ImportFormat)
_READING = 0.8  # share of the time, for the progress that is told


@dataclass(frozen=True)
class ImportLimits:
    """What is taken.

    Attributes:
        files: Most files of an archive.
        unpacked: Most bytes of them together, unpacked.
        staged: Most bytes of the masks that were read.
        seconds: Most time that reading may take, by the clock and of processors.
        memory: Most bytes of address space of the process that reads.
    """

    files: int = 500_000
    unpacked: int = 20 * 2**30
    staged: int = 2 * 2**30
    seconds: float = 3600.0
    memory: int = 6 * 2**30


@dataclass(frozen=True)
class Imported:
    """What was taken over.

    Attributes:
        videos: Number of videos that got objects.
        objects: Number of objects.
        masks: Number of masks that are not empty.
        between: Number of masks that were left out, on frames that the project does not annotate.
        without_video: Names in the data set that no video of the project has; known at the end.
        read: Number of videos of the data set that are dealt with, in its order: whoever goes on does so there.
    """

    videos: int = 0
    objects: int = 0
    masks: int = 0
    between: int = 0
    without_video: tuple[str, ...] = ()
    read: int = 0


Record = Callable[[Db, Imported], object]
"""Called in the transaction that stores a video, with what was taken over by then; its error undoes it."""


@dataclass(frozen=True)
class _Known:
    """A video of the project."""

    id: int
    size: tuple[int, int]
    frames: int


def import_masklets(
    database: Database,
    project_id: int,
    source: Path,
    format: ImportFormat,
    *,
    name: str | None = None,
    folder: Path | None = None,
    user_id: int | None = None,
    state: ObjectState = "proposed",
    limits: ImportLimits | None = None,
    so_far: Imported | None = None,
    record: Record = lambda db, so_far: None,
    on_progress: Callable[[float], None] = lambda share: None,
    on_wait: Callable[[], object] = lambda: None,
) -> Imported:
    """Add the objects of a data set to the videos that have its names; a video is changed wholly or not at all.

    Images of COCO and Label Studio belong to the video that their folder is named after, and are its frame of the
    number that their name ends with: ``walk/00012.jpg``. Objects get the next free numbers and are of origin imported.

    Args:
        database: The tables.
        project_id: The project.
        source: A zip archive, a folder, or one annotation file.
        format: Its format.
        name: What the user calls it, and errors; the ending says whether it is an annotation file.
        folder: Where it is unpacked, for the while; None: beside it.
        user_id: Who imports.
        state: Of the new objects: ``proposed`` to be verified, ``satisfactory`` where they have been.
        limits: What is taken.
        so_far: What an import that was interrupted has recorded; it goes on after that.
        record: Keeps what is done, together with it.
        on_progress: Is told how much is done, 0 to 1; what it raises ends the import.
        on_wait: Is called now and then while nothing is told; what it raises ends the import.

    Raises:
        ValueError: The format is unknown, the source damaged or beyond the limits, or its masks are not of the video's
            size or length; nothing is changed.
        NotFound: There is no such project, or none of its videos has a name of the data set.
        OSError: Something cannot be read or written.
    """
    if format not in IMPORT_FORMATS:
        raise ValueError(f"there is no format {format!r} to import, expected one of {', '.join(IMPORT_FORMATS)}")
    videos, every = database.run(_videos_by_name, project_id)
    with _staging(source, folder) as staging:
        request = {"source": str(source.absolute()), "name": name or source.name, "format": format, "every": every}
        request |= {"staging": str(staging), "videos": {n: [*v.size, v.frames] for n, v in videos.items()}}
        read = _read(request, limits or ImportLimits(), lambda share: on_progress(_READING * share), on_wait)
        total = so_far or Imported()
        if not read["videos"] and not total.videos and (unmatched := read["without_video"]):
            some = ", ".join(unmatched[:3])
            raise NotFound(f"no video of the project is called like those of the data set ({some}): rename or add them")
        for done, (position, called, between) in enumerate(read["videos"], start=1):
            if position < total.read:
                continue
            video = videos[called]
            masklets = staged(staging / f"{position}.jsonl", video.size)
            now = replace(total, read=position + 1, between=total.between + between)
            total = database.run(partial(_add, video.id, masklets, user_id, state, now, record))
            on_progress(_READING + (1 - _READING) * done / len(read["videos"]))
    return replace(total, without_video=tuple(read["without_video"]))


@contextmanager
def _staging(source: Path, folder: Path | None) -> Iterator[Path]:
    staging = temporary_beside((folder or source.absolute().parent) / source.name)
    make_folder(staging)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _read(
    request: dict[str, Any], limits: ImportLimits, on_progress: Callable[[float], None], on_wait: Callable[[], object]
) -> dict[str, Any]:
    """Let the archive be read; see :func:`~masklet.data_engine.import_process.main` for what comes of it."""
    bounds = ChildLimits(limits.seconds, int(limits.seconds) + 1, limits.memory, limits.unpacked)

    def line(said: dict[str, Any]) -> None:
        if "progress" in said:
            on_progress(said["progress"])

    try:
        return run_child(
            "masklet.data_engine.import_process", {**request, **asdict(limits)}, bounds, line, on_wait=on_wait
        )
    except ChildError as error:
        said = str(error) if request["name"] in str(error) else f"{request['name']}: {error}"
        raise ValueError(said) from error


def _videos_by_name(db: Db, project_id: int) -> tuple[dict[str, _Known], int]:
    """Videos by the names that exports give, and by the names that they have; and the distance of annotated frames."""
    every = found(db, Project, project_id).every
    names: dict[str, _Known] = {}
    own: dict[str, _Known] = {}
    for video_id, name in ready_videos(db, project_id):
        video = found(db, Video, video_id)
        assert video.width and video.height and video.frames, "a ready video has a size"
        names[name] = own[stem(video.name)] = _Known(video.id, (video.height, video.width), video.frames)
    return {**names, **own}, every


def _add(
    video_id: int,
    masklets: list[StagedMasklet],
    user_id: int | None,
    state: ObjectState,
    before: Imported,
    record: Record,
    db: Db,
) -> Imported:
    """Add the objects of a video, unless it was removed; gives what is taken over by then."""
    if db.get(Video, video_id) is None:
        return before
    for one in masklets:
        made = add_object(db, video_id, user_id, name=one.name, origin="imported", state=state)
        store_masklet(db, made.id, one.masks, user_id=user_id)
    if state == "proposed":
        add_verify_tasks_for_automatic(db, video_id)
    masks = sum(mask.area > 0 for one in masklets for mask in one.masks)
    after = replace(
        before, videos=before.videos + 1, objects=before.objects + len(masklets), masks=before.masks + masks
    )
    record(db, after)
    return after
