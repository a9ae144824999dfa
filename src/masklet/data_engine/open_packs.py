"""Packs of frames that were asked for lately stay open, so that scrubbing does not open a file for every frame."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from .errors import NotFound
from .frame_pack import FramePack
from .workspace import Workspace

_OPEN = 32


@dataclass
class _Entry:
    pack: FramePack
    readers: int = 0
    dropped: bool = False


class OpenPacks:
    """Packs by the key of their video. Threads may share it.

    Args:
        workspace: Where they lie.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = Lock()

    def jpegs(self, key: str, first: int, count: int) -> list[bytes]:
        """Frames as they lie in the file, up to its end.

        Raises:
            NotFound: There is no such frame.
        """
        with self._reading(key) as pack:
            length = pack.length or 0
            if not 0 <= first < length:
                raise NotFound(f"the video has frames 0 to {length - 1}, not {first}")
            return [pack.jpeg(t) for t in range(first, min(first + count, length))]

    def forget(self, key: str) -> None:
        """Close a pack whose video is removed."""
        with self._lock:
            if key in self._entries:
                self._drop(key)

    def close(self) -> None:
        """Close all."""
        with self._lock:
            for key in list(self._entries):
                self._drop(key)

    @contextmanager
    def _reading(self, key: str) -> Iterator[FramePack]:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(self._opened(key))
            self._entries.move_to_end(key)
            entry.readers += 1
            while len(self._entries) > _OPEN:
                self._drop(next(iter(self._entries)))
        try:
            yield entry.pack
        finally:
            with self._lock:
                entry.readers -= 1
                _close_if_done(entry)

    def _opened(self, key: str) -> FramePack:
        try:
            return FramePack(self._workspace.pack(key))
        except FileNotFoundError:
            raise NotFound("the frames of the video are not on the server: bring it in again") from None

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key)
        entry.dropped = True
        _close_if_done(entry)


def _close_if_done(entry: _Entry) -> None:
    """Whoever still reads closes it."""
    if entry.dropped and not entry.readers:
        entry.pack.close()
