"""Conversion of annotations: any data set or session that can be read, to any format that can be written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..data.frames import MOVIES, MovieFrames, folder_frames
from ..data.open import open_dataset
from ..data.paths import DataPath, data_path
from ..data.records import Frames
from ..inference.session import VideoSession
from ..video.atomic import make_folder, temporary_beside, write_error
from .coco import write_coco
from .cvat import write_cvat
from .label_maps import write_davis, write_youtube_vos
from .label_studio import write_label_studio
from .losses import Losses
from .mots import write_mots
from .options import Target, WriteOptions
from .sa_v import write_sa_v, write_sa_v_folders
from .sessions import is_session_file, saved_masks, session_masks
from .video_masks import VideoMasks, read_masks
from .yolo_seg import write_yolo_seg
from .youtube_vis import write_youtube_vis

Writer = Callable[[Iterable[VideoMasks], Path, WriteOptions, Losses], None]
WRITERS: dict[Target, Writer] = {
    "davis": write_davis,
    "youtube_vos": write_youtube_vos,
    "youtube_vis": write_youtube_vis,
    "coco": write_coco,
    "sa_v": write_sa_v,
    "sa_v_folders": write_sa_v_folders,
    "mots": write_mots,
    "yolo_seg": write_yolo_seg,
    "cvat": write_cvat,
    "label_studio": write_label_studio,
}
SESSION = "session"
_POLYGONS = ("coco", "cvat")
_MARK = ".masklet-convert"
"""Hidden file in every folder that we made: only such a folder is ever replaced."""


@dataclass
class Conversion:
    """What was converted.

    Attributes:
        videos: Number of videos, or of images.
        stills: Whether the source is of images.
        objects: Number of objects, counted in each video.
        masks: Number of masks that are not empty.
        renumbered: Objects that were given another id.
        losses: Times of everything that the format could not hold, by its kind.
        sentences: The same in words.
    """

    videos: int = 0
    stills: bool = False
    objects: int = 0
    masks: int = 0
    renumbered: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()


def convert(
    source: str | os.PathLike[str] | VideoSession,
    dest: str | os.PathLike[str],
    to: Target,
    *,
    format: str | None = None,
    split: str | None = None,
    video: str | os.PathLike[str] | None = None,
    options: WriteOptions | None = None,
    renumber: bool = False,
    strict: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Write the masks of a data set or a session in another format; one video at a time is held in memory.

    Args:
        source: What ``open_dataset`` opens, a saved session, or a session.
        dest: Folder to write, complete or not at all.
        to: The format.
        format: Format of the source, or ``session``; by default it is recognised.
        split: Part of the source.
        video: Movie or folder of images with the frames of a source of one video.
        options: Choices that formats leave.
        renumber: Number the objects of each video from 1.
        strict: Refuse what would lose anything.
        overwrite: Replace ``dest`` if an earlier conversion made it.

    Raises:
        ValueError: A format is unknown, the source damaged, an object's id impossible in the format, or ``dest`` lies
            about the source.
        LossError: ``strict``, and something would be lost; likewise nothing is written.
        FileExistsError: There is something at ``dest`` that may not be replaced.
        FileNotFoundError: The source, or frames that are needed, are not there.
        OSError: Something cannot be read or written.
    """
    if to not in WRITERS:
        raise ValueError(f"there is no format {to!r} to write, expected one of {', '.join(WRITERS)}")
    options = options or WriteOptions()
    if options.polygons and to not in _POLYGONS:
        raise ValueError(f"polygons are a choice in {' and '.join(_POLYGONS)} only, {to} has one kind of mask")
    out = Path(dest).expanduser()
    _check_dest(out, source, overwrite)
    done, losses = Conversion(), Losses(strict=strict)
    videos = _counted(_read(source, format, split, video), done, renumber)
    temporary = temporary_beside(out)
    make_folder(temporary)
    try:
        WRITERS[to](videos, temporary, options, losses)
        if not done.videos:
            raise ValueError(f"{source} holds no videos: there is nothing to convert")
        (temporary / _MARK).write_text(f"{to}\n", encoding="ascii")
        _put(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return replace(done, losses=dict(losses.counts), sentences=tuple(losses.sentences))


def _read(
    source: str | os.PathLike[str] | VideoSession,
    format: str | None,
    split: str | None,
    video: str | os.PathLike[str] | None,
) -> Iterator[VideoMasks]:
    frames = None if video is None else _opened(data_path(video))
    if isinstance(source, VideoSession):
        yield _with_frames(session_masks(source), frames)
        return
    path = data_path(source)
    if format == SESSION or (format is None and is_session_file(path)):
        yield _with_frames(saved_masks(Path(str(path))), frames)
        return
    dataset = open_dataset(path, format, split)
    if frames is not None and len(dataset) != 1:
        raise ValueError(f"{source} has {len(dataset)} videos, frames can be given (--video) for one only")
    for one in dataset:
        yield read_masks(one if frames is None else replace(one, frames=frames), still=dataset.stills)


def _opened(path: DataPath) -> Frames:
    if path.suffix.lower() in MOVIES:
        return MovieFrames(path)
    if not path.is_dir():
        raise FileNotFoundError(f"expected a movie ({', '.join(sorted(MOVIES))}) or a folder of images, got {path}")
    return folder_frames(path)


def _with_frames(masks: VideoMasks, frames: Frames | None) -> VideoMasks:
    """The same masks over given frames, which must fit.

    Raises:
        ValueError: They are of another size or fewer.
    """
    if frames is None:
        return masks
    size, count = frames.size(), frames.count()
    if size != masks.size or count <= max(masks.masks, default=-1):
        raise ValueError(
            f"{frames.where} has {count} frames of {size[1]}x{size[0]} pixels, {masks.where} has masks of "
            f"{masks.size[1]}x{masks.size[0]} up to frame {max(masks.masks, default=0)}: they do not belong together"
        )
    named = isinstance(frames, MovieFrames)
    files = tuple(f"{t:05d}.jpg" if named else Path(frames.file(t)).name for t in range(count))
    return replace(masks, frames=frames, files=files)


def _counted(videos: Iterable[VideoMasks], done: Conversion, renumber: bool) -> Iterator[VideoMasks]:
    """The videos, renumbered where that is asked for, while they are counted; no two have one name."""
    names: set[str] = set()
    for one in videos:
        if one.flat in names:
            raise ValueError(f"{one.where}: two videos are called {one.flat}: rename one")
        names.add(one.flat)
        numbers = {old: new for new, old in enumerate(one.objects, start=1)}
        done.videos, done.stills = done.videos + 1, one.still
        done.objects += len(numbers)
        done.masks += sum(map(len, one.masks.values()))
        if renumber:
            done.renumbered += sum(old != new for old, new in numbers.items())
        yield _renumbered(one, numbers) if renumber else one


def _renumbered(video: VideoMasks, numbers: Mapping[int, int]) -> VideoMasks:
    masks = {t: {numbers[old]: code for old, code in found.items()} for t, found in video.masks.items()}
    unknown = {t: frozenset(numbers[old] for old in ids if old in numbers) for t, ids in video.unknown.items()}
    categories = {numbers[old]: name for old, name in video.categories.items() if old in numbers}
    return replace(video, masks=masks, unknown={t: ids for t, ids in unknown.items() if ids}, categories=categories)


def _check_dest(out: Path, source: object, overwrite: bool) -> None:
    if isinstance(source, str | os.PathLike) and "://" not in os.fspath(source):
        given, target = Path(source).expanduser().resolve(), out.resolve()
        if target == given or target in given.parents or (given.is_dir() and given in target.parents):
            raise ValueError(f"{out} and the source {source} lie in each other: choose another folder")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = (out / _MARK).is_file()
    if not (ours and overwrite):
        advice = "pass overwrite (--overwrite) to replace it" if ours else "choose another folder"
        raise FileExistsError(f"{out} is there and is not replaced: {advice}")


def _put(made: Path, out: Path) -> None:
    """Rename a folder to its place; what was there is removed once that has succeeded."""
    old = temporary_beside(out)
    try:
        if out.exists():
            os.replace(out, old)
        os.replace(made, out)
    except OSError as error:
        if old.exists() and not out.exists():
            os.replace(old, out)
        raise write_error(error, out) from error
    shutil.rmtree(old, ignore_errors=True)
