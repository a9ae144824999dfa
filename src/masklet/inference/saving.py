"""Saving a session and going on with it elsewhere: what is written, and what must fit when it is read."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..model.sam2 import Sam2
from ..video.fitting import check_fitting
from ..video.frames import FrameSource
from ..video.live import LiveFrames
from . import fingerprint
from .engine import Engine
from .options import SessionOptions
from .session_file import SessionFile
from .track import ObjectTrack

PERIOD = 1.0
"""Seconds between savings while frames are tracked."""


def header_of(
    source: FrameSource | LiveFrames,
    given: Any,
    model: Sam2,
    named: Any,
    options: SessionOptions,
    progress: Mapping[str, Any],
) -> dict[str, Any]:
    """What a saved session says of itself.

    Args:
        source: The video.
        given: What it was opened from; an address is kept, so that it need not be given again.
        model: The model.
        named: What it was loaded from, likewise.
        options: Of the session.
        progress: What changes as the session goes on.
    """
    from .. import __version__

    return {
        "masklet": __version__,
        "source": {"address": _address(given), **fingerprint.of_source(source)},
        "model": {"address": _address(named), "weights": fingerprint.of_model(model)},
        "options": asdict(options),
        **progress,
    }


class Autosave:
    """Keeps a file in step with a session."""

    def __init__(self, path: Path, header: Mapping[str, Any], tracks: Mapping[int, ObjectTrack]) -> None:
        """Go on with a file from which the header and the tracks were read.

        Raises:
            OSError: It cannot be written.
        """
        self.file, self._header = SessionFile.open(path), header
        self._last = time.monotonic()
        self.file.go_on(tracks)

    @staticmethod
    def new(path: Path, header: Mapping[str, Any]) -> Autosave:
        """With a new file.

        Raises:
            FileExistsError: There is a file already.
            OSError: It cannot be written.
        """
        if path.exists():
            raise FileExistsError(f"{path} exists: load it to go on with it, or take another path")
        SessionFile.create(path, header, {})
        return Autosave(path, header, {})

    def save(
        self,
        progress: Mapping[str, Any],
        source: FrameSource | LiveFrames,
        tracks: Mapping[int, ObjectTrack],
        *,
        rarely: bool = False,
    ) -> None:
        """Write what has changed; ``rarely``: only if the last time was a while ago.

        Raises:
            OSError: It cannot be written; the session in memory is as it should be.
        """
        now = time.monotonic()
        if rarely and now - self._last < PERIOD:
            return
        changing = dict(progress)
        if isinstance(source, LiveFrames):
            changing["source"] = {"address": None, **fingerprint.of_source(source)}
        self.file.write({**self._header, **changing}, tracks)
        self._last = now


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
