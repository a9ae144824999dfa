"""Saving a session and going on with it elsewhere: what is written, and what must fit when it is read."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..model.sam2 import Sam2
from ..video.fitting import check_fitting
from ..video.frames import FrameSource
from ..video.live import LiveFrames
from . import fingerprint
from .engine import Engine
from .history import History
from .options import SessionOptions
from .session_file import SessionFile
from .track import ObjectTrack

PERIOD = 1.0
"""Seconds between savings while frames are tracked."""


@dataclass(frozen=True)
class Parts:
    """What of a session is saved.

    Attributes:
        given: What video and model were opened from; addresses are kept, so that they need not be given again.
        engine: It makes tracks of what is read.
        tracks: The objects.
        history: What was done.
        progress: Says what changes as the session goes on: ``tag`` and others.
    """

    given: tuple[Any, Any]
    engine: Engine
    tracks: dict[int, ObjectTrack]
    history: History
    progress: Callable[[], dict[str, Any]]


def header_of(parts: Parts) -> dict[str, Any]:
    """What a saved session says of itself."""
    from .. import __version__

    engine, (source, model) = parts.engine, parts.given
    return {
        "masklet": __version__,
        "source": {"address": _address(source), **fingerprint.of_source(engine.source)},
        "model": {"address": _address(model), "weights": fingerprint.of_model(engine.model)},
        "options": asdict(engine.options),
        **parts.progress(),
    }


class Autosave:
    """Keeps a file in step with a session, which goes on with its history from there."""

    def __init__(self, path: Path, header: Mapping[str, Any], parts: Parts) -> None:
        """Go on with a file from which the header and the tracks were read.

        Raises:
            OSError: It cannot be written.
        """
        self.file, self._header, self._parts = SessionFile.open(path), header, parts
        self._last = time.monotonic()
        past = self.file.go_on(parts.tracks, parts.history.levels, parts.history.most_bytes)
        parts.history.rest_on(self, *past.events())

    @staticmethod
    def new(path: Path, parts: Parts) -> Autosave:
        """With a new file.

        Raises:
            FileExistsError: There is a file already.
            OSError: It cannot be written.
        """
        if path.exists():
            raise FileExistsError(f"{path} exists: load it to go on with it, or take another path")
        header = header_of(parts)
        SessionFile.create(path, header, {})
        return Autosave(path, header, parts)

    def save(self, *, rarely: bool = False) -> None:
        """Write what has changed; ``rarely``: only if the last time was a while ago.

        Raises:
            OSError: It cannot be written; the session in memory is as it should be.
        """
        now = time.monotonic()
        if rarely and now - self._last < PERIOD:
            return
        self.file.write(self._changed(), self._parts.tracks, self._parts.history)
        self._last = now

    def save_tracked(self) -> None:
        """Write the frames that were tracked; the tag is for what is done next, and goes with that."""
        changed = {name: value for name, value in self._changed().items() if name != "tag"}
        self.file.write(changed, self._parts.tracks, self._parts.history)

    def recall(self, *, back: bool) -> None:
        """Bring file and session to the state before the newest event, or after the one that was undone last.

        Raises:
            ValueError: The file has none.
            OSError: It cannot be written; nothing has changed.
        """
        parts = self._parts

        def read() -> dict[int, ObjectTrack]:
            parts.engine.new_spool()  # what lies in the other one goes with the objects
            return tracks_of(self.file, parts.engine)

        tracks = self.file.exchange(self._changed(), parts.tracks, parts.history, read, back=back)
        parts.tracks.clear()
        parts.tracks.update(tracks)

    def _changed(self) -> dict[str, Any]:
        source = self._parts.engine.source
        live = {"source": {"address": None, **fingerprint.of_source(source)}} if isinstance(source, LiveFrames) else {}
        fixed = {name: value for name, value in self._header.items() if name not in ("tag", "kind", "version")}
        return {**fixed, **live, **self._parts.progress()}


def source_of(header: Mapping[str, Any], path: Path, given: Any) -> Any:
    """What to open: what was given, else where the video was; live video goes on where it was.

    Raises:
        ValueError: The frames were in memory and none are given.
    """
    known = header["source"]
    if known["live"] and given is None:
        return LiveFrames.after(known["length"], None if known["size"] is None else tuple(known["size"]))
    if given is None and known["address"] is None:
        raise ValueError(f"{path} was made from frames in memory: pass them as source")
    return known["address"] if given is None else given


def model_of(header: Mapping[str, Any], path: Path, given: Any) -> Any:
    """What to load: what was given, else what the model was loaded from.

    Raises:
        ValueError: It was in memory and none is given.
    """
    known = header["model"]["address"]
    if given is None and known is None:
        raise ValueError(f"{path} was made with a model in memory: pass it as model")
    return known if given is None else given


def options_of(header: Mapping[str, Any]) -> SessionOptions:
    """The options that the session had; a file says pairs as lists."""
    plain = header["options"]
    return SessionOptions(**{**plain, "fit": check_fitting(plain["fit"])})


def check_fits(header: Mapping[str, Any], path: Path, source: FrameSource | LiveFrames, model: Sam2) -> None:
    """Raise ValueError unless the video and the weights are those that the session was made with."""
    wanted = {key: value for key, value in header["source"].items() if key != "address"}
    got = fingerprint.of_source(source)
    if got != wanted:
        pixels = " with other pixels" if _said(got) == _said(wanted) else ""
        raise ValueError(
            f"{path} belongs to another video: expected {_said(wanted)}, got {_said(got)}{pixels}: pass the right one "
            "as source"
        )
    if fingerprint.of_model(model) != header["model"]["weights"]:
        raise ValueError(
            f"{path} was made with another model ({header['model']['address'] or 'in memory'}), input size or type: "
            f"its memory means nothing to this one (input {model.config.image_size})"
        )


def tracks_of(file: SessionFile, engine: Engine) -> dict[int, ObjectTrack]:
    """The objects of a file.

    Raises:
        ValueError: The file is damaged.
    """
    tracks = {}
    for i, tables in file.read(engine.model.device).items():
        tracks[i] = engine.new_track()
        tracks[i].give(tables)
    return tracks


def _address(given: Any) -> str | None:
    if isinstance(given, FrameSource):
        found = given.files and (os.path.exists(given.name) or glob.has_magic(given.name))
        given = given.name if found else None
    if not isinstance(given, str | os.PathLike):
        return None
    text = os.fspath(given)
    return os.path.abspath(text) if os.path.exists(text) else str(text)


def _said(mark: Mapping[str, Any]) -> str:
    size = "of unknown size" if mark["size"] is None else f"of {mark['size'][1]}x{mark['size'][0]}"
    return f"{'live, ' if mark['live'] else ''}{mark['length']} frames {size}"
