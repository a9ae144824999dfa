"""A session on disk: one SQLite file, in which a change writes only what it changed.

A change is one transaction: whatever kills the process, the file holds the state after the last one that was finished,
and what undo and redo need from there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..video.atomic import replacing
from .history import History
from .journal import Journal
from .packing import KINDS, pack, unpack
from .saved_history import SavedHistory
from .track import ObjectTrack

VERSION = 3
_READ = (2, VERSION)  # 2 had no history
_KIND = "masklet session"
Key = tuple[int, str]  # an object and a table of it
_TABLES = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE objects (id INTEGER PRIMARY KEY, place INTEGER NOT NULL, orders TEXT NOT NULL)",
    """CREATE TABLE entries (
        object INTEGER, kind TEXT, frame INTEGER, value BLOB NOT NULL, PRIMARY KEY (object, kind, frame)
    ) WITHOUT ROWID""",
)


class SessionFile:
    """An open file; :meth:`create` or :meth:`open` makes one.

    Attributes:
        path: Where it lies. While it is open there may be a ``-wal`` and a ``-shm`` beside it, which belong to it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        self._entries: dict[Key, dict[int, Any]] = {}
        self._journals: dict[Key, Journal] = {}
        self._objects: dict[int, tuple[int, str]] = {}
        self._header: dict[str, str] = {}
        self._past: SavedHistory | None = None

    @staticmethod
    def create(path: Path, header: Mapping[str, Any], tracks: Mapping[int, ObjectTrack]) -> None:
        """Write a state to a file, complete or not at all; what was there is replaced.

        Raises:
            OSError: It cannot be written.
        """
        with replacing(path) as temporary, _Writing(path):
            file = SessionFile(path, _connected(temporary))
            try:
                file._connection.execute("PRAGMA journal_mode=MEMORY")
                for statement in _TABLES:
                    file._connection.execute(statement)
                file.write(header, tracks)
            finally:
                file.close()

    @staticmethod
    def open(path: Path) -> SessionFile:
        """Open a file, to read it or to write to it again and again.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is no session, or of another version.
        """
        if not path.is_file():
            raise FileNotFoundError(f"there is no session {path}: check the path")
        file = SessionFile(path, _connected(path))
        try:
            header = file.header()
        except sqlite3.DatabaseError as error:
            file.close()
            raise ValueError(f"{path} is no saved session ({error})") from error
        if header.get("kind") != _KIND or header.get("version") not in _READ:
            file.close()
            got = f"{header.get('kind')!r}, version {header.get('version')}"
            raise ValueError(f"{path} is {got}, expected {_KIND!r}, version {VERSION}")
        return file

    def header(self) -> dict[str, Any]:
        """Everything that is not of one object.

        Raises:
            sqlite3.DatabaseError: The file is damaged or no SQLite file.
        """
        return {name: json.loads(value) for name, value in self._connection.execute("SELECT name, value FROM header")}

    def read(self, device: torch.device | str) -> dict[int, dict[str, dict[int, Any]]]:
        """The tables of every object, objects and tables in their order.

        Raises:
            ValueError: The file is damaged.
        """
        try:
            objects = self._connection.execute("SELECT id, orders FROM objects ORDER BY place").fetchall()
            rows = self._connection.execute("SELECT object, kind, frame, value FROM entries").fetchall()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} is damaged ({error})") from error
        found: dict[int, dict[str, dict[int, Any]]] = {i: {kind: {} for kind in KINDS} for i, _ in objects}
        for i, kind, frame, value in rows:
            try:
                found[i][kind][frame] = unpack(kind, value, device)
            except (ValueError, KeyError) as error:
                raise ValueError(f"{self.path}, object {i}, frame {frame}: {error}") from error
        for i, orders in objects:
            for kind, order in json.loads(orders).items():
                found[i][kind] = {t: found[i][kind][t] for t in order}
        return found

    def write(
        self, header: Mapping[str, Any], tracks: Mapping[int, ObjectTrack], history: History | None = None
    ) -> None:
        """Bring the file to a state; writes what is not there yet, in one transaction.

        Args:
            header: What there is to say of the session; what is not in it stays.
            tracks: The objects.
            history: How they came to be so; it is told what the file has of it then. None: that is not kept.

        Raises:
            OSError: It cannot be written; the file holds the state before.
        """
        with self._changing():
            plain, left = self._put(header, tracks, history)
        self._header = plain
        self._hold(tracks)
        if history is not None:
            history.saved(*left)

    def exchange(
        self,
        header: Mapping[str, Any],
        tracks: Mapping[int, ObjectTrack],
        history: History,
        read: Callable[[], dict[int, ObjectTrack]],
        *,
        back: bool,
    ) -> dict[int, ObjectTrack]:
        """Undo the newest event that the file has, or do again the one that was undone last.

        Args:
            header: As for :meth:`write`.
            tracks: The objects before it.
            history: Of these.
            read: Makes objects of what is in the file.
            back: Whether to undo.

        Returns:
            The objects after it.

        Raises:
            ValueError: There is no such event.
            OSError: The file cannot be written; it holds the state before.
        """
        assert self._past is not None
        with self._changing():
            plain, _ = self._put(header, tracks, history)
            there = [(i, *row) for i, row in _objects(tracks).items()]
            self._connection.execute("DELETE FROM objects")
            after = self._past.exchange(there, back=back)
            self._connection.executemany("INSERT INTO objects VALUES (?, ?, ?)", after)
            found = read()
        self._header = plain
        self._hold(found)
        return found

    def go_on(self, tracks: Mapping[int, ObjectTrack], levels: int, most_bytes: int) -> SavedHistory:
        """Get ready to write often, from tracks that are what the file holds: those that were read from it.

        Args:
            tracks: These.
            levels: Most events of the history.
            most_bytes: What they may take.

        Raises:
            OSError: It cannot be written.
        """
        with _Writing(self.path):
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._past = SavedHistory(self._connection, levels, most_bytes)
        self._hold(tracks)
        return self._past

    def close(self) -> None:
        """Close the file; it is one file then."""
        self._connection.close()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A transaction."""
        with _Writing(self.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    def _put(
        self, header: Mapping[str, Any], tracks: Mapping[int, ObjectTrack], history: History | None
    ) -> tuple[dict[str, str], tuple[int, int]]:
        """Write what has changed; returns the header, and how many events of the past are there."""
        entries, journals, objects = _entries(tracks), _journals(tracks), _objects(tracks)
        header = {**header, "kind": _KIND, "version": VERSION}
        plain = {**self._header, **{name: json.dumps(value) for name, value in header.items()}}
        if self._past is not None and history is not None:
            self._past.begin(history, [(i, *row) for i, row in self._objects.items()])
        for key in self._entries.keys() | entries.keys():
            self._write_table(key, self._entries.get(key, {}), entries.get(key, {}))
        for key in self._journals.keys() | journals.keys():
            self._write_journal(key, self._journals.get(key), journals.get(key))
        gone = [(i,) for i in self._objects.keys() - objects.keys()]
        new = [(i, *row) for i, row in objects.items() if self._objects.get(i) != row]
        changed = [row for row in plain.items() if self._header.get(row[0]) != row[1]]
        self._connection.executemany("DELETE FROM objects WHERE id = ?", gone)
        self._connection.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", new)
        self._connection.executemany("INSERT OR REPLACE INTO header VALUES (?, ?)", changed)
        return plain, (0, 0) if self._past is None else self._past.end()

    def _hold(self, tracks: Mapping[int, ObjectTrack]) -> None:
        """It holds these now."""
        self._entries, self._journals, self._objects = _entries(tracks), _journals(tracks), _objects(tracks)
        for journal in self._journals.values() if self._past is not None else ():
            journal.news = set()

    def _write_table(self, key: Key, before: Mapping[int, Any], now: Mapping[int, Any]) -> None:
        """Values do not change, so that one which is still the same object needs no writing."""
        new = {t: value for t, value in now.items() if before.get(t) is not value}
        self._write_entries(key, [t for t in before if t not in now], new)

    def _write_journal(self, key: Key, before: Journal | None, now: Journal | None) -> None:
        """A journal says itself what is new in it."""
        if before is not now and before is not None:
            if self._past is not None:
                self._past.replace_all(key)
            self._connection.execute("DELETE FROM entries WHERE object = ? AND kind = ?", key)
        if now is not None:
            news = now.kept if before is not now or now.news is None else now.news
            gone = [t for t in news if t not in now.kept]
            self._write_entries(key, gone, {t: now.kept[t] for t in news if t in now.kept})

    def _write_entries(self, key: Key, gone: Iterable[int], new: Mapping[int, Any]) -> None:
        gone = list(gone)
        if self._past is not None:
            self._past.replace_frames(key, [*gone, *new])
        self._connection.executemany(
            "DELETE FROM entries WHERE object = ? AND kind = ? AND frame = ?", ((*key, t) for t in gone)
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", ((*key, t, pack(value)) for t, value in new.items())
        )


def _entries(tracks: Mapping[int, ObjectTrack]) -> dict[Key, dict[int, Any]]:
    return {(i, kind): dict(table) for i, track in tracks.items() for kind, table in track.tables().items()}


def _journals(tracks: Mapping[int, ObjectTrack]) -> dict[Key, Journal]:
    return {(i, kind): journal for i, track in tracks.items() for kind, journal in track.journals.items()}


def _objects(tracks: Mapping[int, ObjectTrack]) -> dict[int, tuple[int, str]]:
    """Place and orders by object."""
    return {i: (place, json.dumps(track.orders())) for place, (i, track) in enumerate(tracks.items())}


@contextmanager
def opened(path: Path) -> Iterator[SessionFile]:
    """A file that is closed when the block ends; raises what :meth:`SessionFile.open` does."""
    file = SessionFile.open(path)
    try:
        yield file
    finally:
        file.close()


class _Writing:
    """Says of an error of SQLite which file could not be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise OSError(f"cannot write the session {self._path} ({error}): it holds what was written last") from error


def _connected(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
    except sqlite3.Error as error:
        raise OSError(f"cannot open {path} ({error})") from error
