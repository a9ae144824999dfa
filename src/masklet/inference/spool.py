"""Values that become many: the newest are in memory, the others in a temporary file.

Nobody changes a value, so that undo, autosave and the tables of a session share them by reference, wherever they lie.
"""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from threading import Lock
from typing import BinaryIO, Generic, Protocol, TypeVar, runtime_checkable
from weakref import finalize, ref

log = logging.getLogger(__name__)


@runtime_checkable
class Packable(Protocol):
    """What can lie in a file."""

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes in memory."""
        ...

    def packed(self) -> bytes:
        """The value as bytes."""
        ...

    @classmethod
    def unpacked(cls, data: bytes) -> Packable:
        """The value of such bytes."""
        ...


T = TypeVar("T", bound=Packable)


class Kept(Generic[T]):
    """A value of a spool; it is gone when nobody refers to it any more."""

    __slots__ = ("__weakref__", "_count", "_kind", "_spool", "_start", "_value")

    def __init__(self, spool: Spool, value: T) -> None:
        self._spool, self._kind = spool, type(value)
        self._value: T | None = value
        self._start = self._count = 0

    @property
    def value(self) -> T:
        """The value, read from the file if it lies there."""
        value = self._value
        if value is not None:
            return value
        return self._kind.unpacked(self._spool.read(self._start, self._count))  # pyright: ignore[reportReturnType]

    def packed(self) -> bytes:
        """The value as bytes."""
        value = self._value
        return self._spool.read(self._start, self._count) if value is None else value.packed()

    def move(self) -> None:
        """From memory to the file."""
        if self._value is not None:
            self._start, self._count = self._spool.append(self._value.packed())
            self._value = None  # last: others may be reading it


class Spool:
    """Keeps values.

    Args:
        room: Bytes that they may take in memory; None: no bound.
    """

    def __init__(self, room: int | None = None) -> None:
        self._room = room
        self._newest: deque[tuple[ref[Kept], int]] = deque()
        self._held = 0
        self._file: BinaryIO | None = None
        self._lock = Lock()

    def keep(self, value: T) -> Kept[T]:
        """Keep a value; where the room is full the oldest ones move to the file.

        A file that cannot be written is said in the log, and they stay in memory.
        """
        kept = Kept(self, value)
        if self._room is not None:
            self._newest.append((ref(kept), value.nbytes))
            self._held += value.nbytes
            while self._held > self._room:
                oldest, size = self._newest.popleft()
                self._held -= size
                one = oldest()
                try:
                    if one is not None:
                        one.move()
                except OSError as error:
                    log.warning("results stay in memory, there is no room for them in %s: %s", _place(), error)
        return kept

    def append(self, data: bytes) -> tuple[int, int]:
        """Write bytes to the end of the file; returns where they begin and how many they are.

        Raises:
            OSError: They cannot be written.
        """
        with self._lock:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="masklet-", buffering=0)  # noqa: SIM115, see below
                finalize(self, self._file.close)
            start = self._file.seek(0, 2)
            if self._file.write(data) != len(data):
                raise OSError("only a part of it could be written")
            return start, len(data)

    def read(self, start: int, count: int) -> bytes:
        """Bytes of the file.

        Raises:
            OSError: They cannot be read.
            ValueError: The spool is closed.
        """
        with self._lock:
            if self._file is None:
                raise ValueError("the session is closed: its results are gone")
            self._file.seek(start)
            return self._file.read(count)

    def close(self) -> None:
        """Remove the file, and the values that lie in it."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


def _place() -> str:
    return f"{tempfile.gettempdir()} (set TMPDIR to another folder)"
