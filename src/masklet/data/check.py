"""Looking for faults in a data set before it is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .paths import BrokenAnnotations
from .records import AnnotatedVideo, VideoDataset

CLIP_FRAMES = 8
"""Frames of a training clip of SAM 2."""
_FAULTS = (ValueError, LookupError, OSError)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        record: Name of the video or image; empty where it is of the whole data set.
        file: File or folder.
        fault: What is wrong with it, in words.
    """

    record: str
    file: str
    fault: str


def check_dataset(dataset: VideoDataset, clip_frames: int = CLIP_FRAMES) -> Iterator[Fault]:
    """Yield the faults of a data set, going on after each. Decodes every frame and every mask once.

    A data set whose description cannot be parsed does not come as far as this: ``open_dataset`` raises
    ``BrokenAnnotations``.

    Args:
        dataset: What ``open_dataset`` gives.
        clip_frames: A video of fewer frames is a fault; images are not measured by it.
    """
    yield from check_names(dataset)
    for index in range(len(dataset)):
        yield from check_record(dataset, index, clip_frames)


def check_names(dataset: VideoDataset) -> Iterator[Fault]:
    """Yield names that several videos have."""
    for name, count in Counter(dataset.names).items():
        if count > 1:
            yield Fault(name, dataset.root, f"{count} entries have this name: results would overwrite each other")


def check_record(dataset: VideoDataset, index: int, clip_frames: int = CLIP_FRAMES) -> Iterator[Fault]:
    """Yield the faults of one video or image."""
    name = dataset.names[index]
    try:
        video = dataset[index]
    except _FAULTS as error:
        yield Fault(name, dataset.root, described(error))
        return
    try:
        count = video.frame_count
    except _FAULTS as error:
        yield Fault(name, video.frames.where, described(error))
        return
    if count < clip_frames and not dataset.stills:
        yield Fault(name, video.frames.where, f"it has {count} frames, a clip has {clip_frames}")
    broken = dict(_frames(video, count))
    yield from broken.values()
    if 0 not in broken:  # the first frame says which size masks should have
        yield from _masks(video, count, dataset.stills)


def described(error: BaseException) -> str:
    """What an error says, on one line."""
    if isinstance(error, BrokenAnnotations):
        return error.what
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return "it is missing"
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()) or type(error).__name__


def _frames(video: AnnotatedVideo, count: int) -> Iterator[tuple[int, Fault]]:
    for index in range(count):
        try:
            video.image(index)
        except _FAULTS as error:
            where = f"frame {index}: " if video.frames.file(index) == video.frames.where and count > 1 else ""
            yield index, Fault(video.name, video.frames.file(index), where + described(error))


def _masks(video: AnnotatedVideo, count: int, still: bool) -> Iterator[Fault]:
    try:
        annotated = video.annotated
    except _FAULTS as error:
        yield Fault(video.name, _file_of(error, video.truth.where), described(error))
        return
    if not annotated:
        yield Fault(video.name, video.truth.where, "there are no masks: no frame is annotated")
        return
    named: set[int] = set()
    seen: set[int] = set()
    broken = False
    for index in annotated:
        file = video.truth.file(index)
        if index >= count:
            yield Fault(video.name, file, f"it is of frame {index}, but the last frame is {count - 1}")
            continue
        try:
            ids = video.objects(index)
        except _FAULTS as error:
            broken = True
            yield Fault(video.name, _file_of(error, file), described(error))
            continue
        named.update(ids)
        for object_id in ids:
            try:
                seen.update(video.masks(index, (object_id,)))
            except _FAULTS as error:
                seen.add(object_id)  # what cannot be read is not known to be empty
                yield Fault(video.name, _file_of(error, file), described(error))
                if file != video.truth.where:  # one label map: what is said of one object holds for all
                    seen.update(ids)
                    break
    for object_id in sorted(named - seen):
        place = "" if still else " in every annotated frame"
        yield Fault(video.name, video.truth.where, f"the mask of object {object_id} is empty{place}")
    if not named and not broken:
        yield Fault(video.name, video.truth.where, "the masks are empty: there is no object in any annotated frame")


def _file_of(error: BaseException, usual: str) -> str:
    if isinstance(error, BrokenAnnotations):
        return error.file
    return str(error.filename) if isinstance(error, OSError) and error.filename is not None else usual
