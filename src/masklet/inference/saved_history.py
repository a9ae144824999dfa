"""The history of a session in its file: its events, and what each of them replaced.

Undo exchanges what an event replaced for what is there, redo exchanges it back. SQLite copies the rows
itself, so that an action costs as much more as it overwrites.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from .history import Event, History

_TABLES = (
    """CREATE TABLE IF NOT EXISTS events (
        number INTEGER PRIMARY KEY, undone INTEGER NOT NULL, event TEXT NOT NULL, objects TEXT NOT NULL,
        bytes INTEGER NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS replaced (
        event INTEGER, object INTEGER, kind TEXT, frame INTEGER, value BLOB, PRIMARY KEY (event, object, kind, frame)
    ) WITHOUT ROWID""",
)
Objects = list[tuple[int, int, str]]
"""Id, place and orders of each object."""


class SavedHistory:
    """Events of a file, numbered in their order; those that were undone come after those that were not.

    All of it happens within transactions of the file.

    Args:
        connection: The file.
        levels: Most events that are kept.
        most_bytes: What they may take together; the newest one stays whatever it takes.
    """

    def __init__(self, connection: sqlite3.Connection, levels: int, most_bytes: int) -> None:
        self._connection, self._levels, self._most_bytes = connection, levels, most_bytes
        self._current: int | None = None
        self._added = 0  # bytes of rows that the current event got since it began or was saved last
        for table in _TABLES:
            connection.execute(table)

    def events(self) -> tuple[list[Event], list[Event]]:
        """Those that were done and those that were undone, both oldest first."""
        done, undone = [], []
        for was_undone, text in self._connection.execute("SELECT undone, event FROM events ORDER BY number"):
            (undone if was_undone else done).append(_event(text))
        return done, undone

    def begin(self, history: History, objects: Objects) -> None:
        """Before a state is written: find the event that its changes belong to.

        Args:
            history: The history now. Where more than one event has come or gone since the last time, as after an error,
                nobody knows which changed what, and all are forgotten.
            objects: What the file has.
        """
        self._added = 0
        moves = history.moves
        newest = next(reversed(history.events), None)
        if not moves:
            self._current = self._number("max", undone=False)
            if self._current is not None and newest is not None:
                text = json.dumps(_plain(newest))
                self._connection.execute(
                    "UPDATE events SET event = ? WHERE number = ? AND event != ?", (text, self._current, text)
                )
            return
        self._current = None
        if len(moves) > 1:
            self._connection.execute("DELETE FROM events")
            self._connection.execute("DELETE FROM replaced")
            return
        done, undone = self._number("max", undone=False), self._number("min", undone=True)
        if moves[0] == "done":
            self._forget(number for (number,) in self._connection.execute("SELECT number FROM events WHERE undone"))
            undone = None
        back = moves[0] == "undone"
        event = history.undone[-1] if back else newest
        if event is None:  # none may be undone
            return
        known = done if back else undone
        beside = (undone or 0) - 1 if back else (done or 0) + 1
        self._current = beside if known is None else known
        self._forget([self._current])
        text = json.dumps(objects)
        row = (self._current, back, json.dumps(_plain(event)), text, len(text))
        self._connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)

    def replace_frames(self, key: tuple[int, str], frames: Iterable[int]) -> None:
        """Before values of a table of an object are written or deleted; the first time counts."""
        if self._current is None:
            return
        for t in frames:
            row = (self._current, *key, t)
            new = self._connection.execute(
                """INSERT OR IGNORE INTO replaced VALUES (
                    ?1, ?2, ?3, ?4, (SELECT value FROM entries WHERE object = ?2 AND kind = ?3 AND frame = ?4)
                )""",
                row,
            ).rowcount
            if new:
                self._added += self._bytes(*row)

    def replace_all(self, key: tuple[int, str]) -> None:
        """Before a whole table is deleted."""
        if self._current is not None:
            before = self._bytes(self._current, *key)
            self._connection.execute(
                """INSERT OR IGNORE INTO replaced
                SELECT ?, object, kind, frame, value FROM entries WHERE object = ? AND kind = ?""",
                (self._current, *key),
            )
            self._added += self._bytes(self._current, *key) - before

    def end(self) -> tuple[int, int]:
        """After a state was written: keep the bounds. How many events there are that were done, and undone."""
        if self._current is not None:
            self._connection.execute(
                "UPDATE events SET bytes = bytes + ? WHERE number = ?", (self._added, self._current)
            )
        rows = self._connection.execute("SELECT number, undone, bytes FROM events ORDER BY number").fetchall()
        total, gone = sum(size for _, _, size in rows), []
        while rows and (len(rows) > self._levels or total > self._most_bytes):
            oldest = rows[0][0] != self._current and not rows[0][1]
            number, _, size = rows[0 if oldest else -1]
            if number == self._current:
                break
            rows.pop(0 if oldest else -1)
            gone.append(number)
            total -= size
        self._forget(gone)
        undone = sum(was_undone for _, was_undone, _ in rows)
        return len(rows) - undone, undone

    def exchange(self, objects: Objects, *, back: bool) -> Objects:
        """Undo the newest event, or do again the one that was undone last, in the tables of the objects.

        Args:
            objects: What the file has.
            back: Whether to undo.

        Returns:
            What the file must have now.

        Raises:
            ValueError: There is no such event.
        """
        number = self._number("max", undone=False) if back else self._number("min", undone=True)
        if number is None:
            raise ValueError(f"there is nothing to {'undo' if back else 'do again'}")
        run, many = self._connection.execute, self._connection.executemany
        (text,) = run("SELECT objects FROM events WHERE number = ?", (number,)).fetchone()
        there = run(
            """SELECT ?1, object, kind, frame, entries.value
            FROM replaced JOIN entries USING (object, kind, frame) WHERE event = ?1""",
            (number,),
        ).fetchall()
        many("DELETE FROM entries WHERE object = ? AND kind = ? AND frame = ?", [row[1:4] for row in there])
        run(
            """INSERT INTO entries
            SELECT object, kind, frame, value FROM replaced WHERE event = ? AND value IS NOT NULL""",
            (number,),
        )
        run("UPDATE replaced SET value = NULL WHERE event = ?", (number,))
        many("INSERT OR REPLACE INTO replaced VALUES (?, ?, ?, ?, ?)", there)
        now = json.dumps(objects)
        size = len(now) + self._bytes(number)
        run("UPDATE events SET undone = ?, objects = ?, bytes = ? WHERE number = ?", (back, now, size, number))
        self._current = number
        return [(i, place, orders) for i, place, orders in json.loads(text)]

    def _number(self, which: str, *, undone: bool) -> int | None:
        (number,) = self._connection.execute(
            f"SELECT {which}(number) FROM events WHERE undone = ?", (undone,)
        ).fetchone()
        return number

    def _bytes(self, event: int, *key: int | str) -> int:
        """What rows of an event take: all of them, or those of an object, a table of it, a frame of that."""
        which = "".join(f" AND {column} = ?" for column, _ in zip(("object", "kind", "frame"), key, strict=False))
        (size,) = self._connection.execute(
            f"SELECT sum(40 + coalesce(length(value), 0)) FROM replaced WHERE event = ?{which}", (event, *key)
        ).fetchone()
        return size or 0

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in list(numbers):
            self._connection.execute("DELETE FROM events WHERE number = ?", (number,))
            self._connection.execute("DELETE FROM replaced WHERE event = ?", (number,))


def _plain(event: Event) -> dict[str, Any]:
    """Without what a prompt gave, which lies with the prompts."""
    return {f.name: getattr(event, f.name) for f in fields(event) if f.name != "given"}


def _event(text: str) -> Event:
    plain = json.loads(text)
    return Event(**{**plain, "both": None if plain["both"] is None else tuple(plain["both"])})
