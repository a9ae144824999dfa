"""A look through predictions on disk before they are scored: all that is missing, damaged or saved the wrong way.

It reads lists of files and heads of files, and decodes one label map a video.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..data.check import Fault, described
from ..data.records import AnnotatedVideo, VideoDataset
from ..data.truths import LabelMaps
from ..masks.label_png import read_label_png
from ..masks.palette import davis_palette
from ..video.image_header import image_size
from .prediction_folders import LabelMasks, Layout, frame_names, object_folders
from .rules import RULES, Rule, nothing_to_score

_FAULTS = (ValueError, LookupError, OSError)
_HEADER, _TRAILER = 26, 12  # bytes of a PNG up to its colour type, and of its last chunk
_DEEP = "16-bit files, which evaluators of DAVIS and its kin do not read"


@dataclass(frozen=True)
class Findings:
    """What a look through predictions gave.

    Attributes:
        faults: What makes scoring impossible or wrong.
        notes: What scoring passes over.
    """

    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.faults + other.faults, self.notes + other.notes)


def check_predictions(
    dataset: VideoDataset,
    folder: str | os.PathLike[str],
    rule: Rule = RULES["plain"],
    layout: Layout = "merged",
) -> Findings:
    """Look through the predictions of a data set.

    Args:
        dataset: The videos with their truth.
        folder: It holds a folder for each video.
        rule: Which frames count, and so have to be there.
        layout: How the masks are stored.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder with a folder for each video, found none at {folder}")
    found = Findings()
    for index in range(len(dataset)):
        try:
            video = dataset[index]
        except _FAULTS as error:
            found += Findings((Fault(dataset.names[index], dataset.root, described(error)),))
        else:
            found += check_video(video, folder, rule, layout)
    extra = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name not in dataset.names)
    if extra:
        found += _note("", folder, f"folders of no video of the data set, not scored: {some(extra)}")
    return found


def check_video(
    video: AnnotatedVideo, folder: Path, rule: Rule = RULES["plain"], layout: Layout = "merged"
) -> Findings:
    """Look through the predictions of one video; arguments as for :func:`check_predictions`."""
    where = folder / video.name
    try:
        annotated = video.annotated
        if not annotated:
            return _fault(video, video.truth.where, "there is no ground truth: no frame of the video is annotated")
        if not annotated[rule.skip_first : len(annotated) - rule.skip_last]:
            return _fault(video, video.truth.where, nothing_to_score(video, rule))
        if not where.is_dir():
            return _fault(video, where, "the video is missing: there is no such folder")
        if layout == "merged":
            found = _check_files(video, where, annotated, rule) + _strange_entries(video, where, folders=False)
            return found if found.faults or rule.one_object else found + _check_first_map(video, where, rule)
        return _check_objects(video, where, rule) + _strange_entries(video, where, folders=True)
    except _FAULTS as error:
        return _fault(video, video.truth.where, described(error))


def _check_objects(video: AnnotatedVideo, where: Path, rule: Rule) -> Findings:
    """Folders of objects: all that the truth names, each with its frames."""
    named: dict[int, list[int]] = {}
    for frame in video.annotated:
        for object_id in {*video.truth.objects(frame)} - {rule.void}:
            named.setdefault(object_id, []).append(frame)
    there = object_folders(where)
    found = Findings()
    if not there and any(entry.suffix == ".png" for entry in where.iterdir()):
        return _fault(video, where, "it holds PNG files, expected a folder for each object: is the layout merged?")
    for object_id, frames in sorted(named.items()):
        if object_id not in there:
            found += _fault(
                video, where / f"{object_id:03d}", f"object {object_id} is missing: there is no such folder"
            )
            continue
        listed = rule.until_seen and not isinstance(video.truth, LabelMaps)
        found += _check_files(video, there[object_id], tuple(frames) if listed else video.annotated, rule)
    extra = [object_id for object_id in there if object_id not in named]
    if extra:
        found += _note(video.name, where, f"the truth has no object {some(extra)}: not scored")
    return found


def _check_files(video: AnnotatedVideo, place: Path, annotated: tuple[int, ...], rule: Rule) -> Findings:
    """The PNG files of a folder: whether those that count are there, and what their heads say."""
    names = frame_names(video)
    files = {entry.stem: entry for entry in place.iterdir() if entry.suffix == ".png"}
    if not files and any(entry.is_dir() for entry in place.iterdir()):
        return _fault(video, place, "it holds folders, expected PNG files: is the layout objects?")
    counted = annotated[rule.skip_first : len(annotated) - rule.skip_last]
    found = Findings()
    missing = [names[t] for t in counted if names[t] not in files]
    if missing:
        found += _fault(video, place, f"frames are missing, {len(missing)} of {len(counted)}: {some(missing)}")
    ends = [names[t] for t in (annotated[0], annotated[-1]) if t not in counted and names[t] not in files]
    if ends:
        found += _note(video.name, place, f"frames are missing that do not count: {some(ends)}")
    wanted = {names[t] for t in annotated}
    more = [name for name in names if name in files and name not in wanted]
    if more:
        found += _note(video.name, place, f"frames without truth, not scored: {some(more)}")
    stray = sorted({*files} - {*names})
    if stray:
        found += _note(video.name, place, f"files of no frame of the video, not read: {some(stray)}")
    groups: dict[str, list[str]] = {}
    for name in (names[t] for t in annotated if names[t] in files):
        for what in _head_faults(files[name], video.size):
            groups.setdefault(what, []).append(name)
    deep = groups.pop(_DEEP, [])
    if deep:
        found += _note(video.name, place, f"{_DEEP}: {some(deep)}")
    for what, which in groups.items():
        found += _fault(video, place, f"{what}: {some(which)}")
    return found


def _head_faults(path: Path, size: tuple[int, int]) -> Iterator[str]:
    """What is wrong with a file as far as its first and last bytes tell."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TRAILER))
        tail = file.read()
    got = image_size(head)
    if not head.startswith(b"\x89PNG") or got is None or len(head) < _HEADER:
        yield "no PNG files, or empty ones"
        return
    if b"IEND" not in tail:
        yield "files cut short"
    if got != size:
        yield f"files of {got[1]}x{got[0]} pixels, the video has {size[1]}x{size[0]}"
    depth, colour = head[24], head[25]
    if colour not in (0, 3):
        yield "files with colours in place of labels, to be saved as indexed or grey PNG"
    elif depth == 16:
        yield _DEEP


def _check_first_map(video: AnnotatedVideo, where: Path, rule: Rule) -> Findings:
    """Whether the first map that counts has ids of the truth: a wrong way of saving shows in every file."""
    names = frame_names(video)
    frame = video.annotated[int(rule.skip_first)]
    path = where / f"{names[frame]}.png"
    try:
        shown = {*LabelMasks(read_label_png(path))}
    except _FAULTS as error:
        return _fault(video, path, described(error).removeprefix(f"{path} "))
    wrong = unknown_ids(video, shown, {*video.objects(frame)} - {rule.void}, rule)
    return _fault(video, path, wrong) if wrong else Findings()


def unknown_ids(video: AnnotatedVideo, shown: Collection[int], known: Collection[int], rule: Rule) -> str:
    """What is wrong with the ids of predictions; empty where all are of the truth.

    Args:
        video: The video.
        shown: The ids of the predictions.
        known: Some ids of the truth; all are looked up, which decodes it, only where these do not suffice.
        rule: Says which label of the truth is no object.
    """
    if {*shown} <= {*known}:
        return ""
    objects = {*video.first_frames()} - {rule.void}
    unknown = sorted({*shown} - objects - ({rule.void} if {*shown} & objects else set()))
    if not unknown:
        return ""
    text = f"it has the ids {some(unknown)}, the truth has {some(sorted(objects))}"
    greys = _palette_greys(objects)
    if {*shown} in ({255}, {65535}):
        return f"{text}: it looks like a binary mask of 0 and {unknown[0]}; write object ids (0 and 1 for one object)"
    if all(one in greys for one in unknown):
        meant = some([greys[one] for one in unknown])
        return f"{text}: these are the grey levels of the palette's colours {meant}; write indices, not colours"
    return f"{text}: write the ids of the prompts"


def _palette_greys(ids: Collection[int]) -> dict[int, int]:
    """Object id by the grey level that conversion makes of its palette colour."""
    levels = (davis_palette() @ [0.299, 0.587, 0.114]).round().astype(int)
    return {int(levels[one]): one for one in ids if one < len(levels)}


def _strange_entries(video: AnnotatedVideo, where: Path, folders: bool) -> Findings:
    """Notes what a folder holds besides what its layout has."""
    strange = sorted(
        entry.name
        for entry in where.iterdir()
        if not ((entry.is_dir() and entry.name.isdecimal()) if folders else entry.suffix == ".png")
        and not entry.name.startswith(".")
    )
    return _note(video.name, where, f"entries that are not read: {some(strange)}") if strange else Findings()


def _fault(video: AnnotatedVideo, file: str | Path, what: str) -> Findings:
    return Findings(faults=(Fault(video.name, str(file), what),))


def _note(name: str, file: str | Path, what: str) -> Findings:
    return Findings(notes=(Fault(name, str(file), what),))


def some(names: Collection[object], most: int = 10) -> str:
    """The first of some names, and how many there are if these are not all."""
    shown = ", ".join(str(name) for name in list(names)[:most])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > most else shown
