"""Sessions as a source: what was shown of each frame, from a saved file or from memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.frames import MOVIES, MovieFrames, folder_frames
from ..data.paths import DataPath
from ..data.records import Frames
from ..inference.results import Shown
from ..inference.session import VideoSession
from ..inference.session_file import opened
from ..masks import rle
from ..masks.rle import Rle
from .video_masks import VideoMasks

_SQLITE = b"SQLite format 3\0"


def is_session_file(path: DataPath) -> bool:
    """Whether a file may be a saved session."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def saved_masks(path: Path) -> VideoMasks:
    """Masks of a saved session; frames that were neither prompted nor tracked are not annotated.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no session, is damaged, or holds no masks.
    """
    with opened(path) as file:
        source = file.header()["source"]
        shown = {number: _living(tables["shown"], tables["active"]) for number, tables in file.read("cpu").items()}
    address = source["address"]
    return _masks(path.stem, shown, source["length"], _frames(address), str(path))


def session_masks(session: VideoSession) -> VideoMasks:
    """Masks of a session in memory, likewise.

    Raises:
        ValueError: It holds no masks.
    """
    name = Path(session.source.name).stem or "video"
    shown = {number: _living(track.shown, track.active) for number, track in session.tracks.items()}
    return _masks(name, shown, session.source.length, None, name)


def _masks(
    name: str, shown: Mapping[int, Mapping[int, Shown]], length: int | None, frames: Frames | None, where: str
) -> VideoMasks:
    sizes = {one.size for table in shown.values() for one in table.values()}
    if len(sizes) != 1:
        raise ValueError(f"{where} holds no masks (sessions keep them with keep_results): there is nothing to convert")
    masks: dict[int, dict[int, Rle]] = {}
    for number, table in sorted(shown.items()):
        for frame, one in table.items():
            kept = masks.setdefault(frame, {})
            if rle.area(one.rle):
                kept[number] = one.rle
    unknown = {frame: frozenset(n for n, table in shown.items() if frame not in table) for frame in masks}
    count = max(length or 0, 1 + max(masks))
    names = tuple(f"{frame:05d}.jpg" for frame in range(count))
    if frames is not None and not isinstance(frames, MovieFrames):
        names = tuple(Path(frames.file(frame)).name for frame in range(count))
    return VideoMasks(
        name,
        sizes.pop(),
        names,
        dict(sorted(masks.items())),
        {frame: missing for frame, missing in unknown.items() if missing},
        {},
        False,
        frames,
        where,
    )


def _living(shown: Mapping[int, Shown], active: Mapping[int, int]) -> Mapping[int, Shown]:
    """What was shown of an object while it lived: what follows its end lies in the session, but is shown no more."""
    return {t: one for t, one in shown.items() if t <= max(active.values())} if active else shown


def _frames(address: Any) -> Frames | None:
    """The video where it was, if it is a movie or a folder that is still there."""
    path = None if address is None else Path(address)
    if path is not None and path.is_dir():
        return folder_frames(path)
    return MovieFrames(path) if path is not None and path.suffix.lower() in MOVIES and path.is_file() else None
