"""A JSON file of one long list that is written entry by entry, with what belongs beside it at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ..video.atomic import make_folder


class JsonList:
    """A list under way; ``beside`` becomes the other fields of the object that holds it."""

    def __init__(self, file: TextIO) -> None:
        self.beside: dict[str, Any] = {}
        self._file = file
        self._started = False

    def add(self, entry: Any) -> None:
        """Write the next entry."""
        self._file.write(",\n" if self._started else "\n")
        self._file.write(compact(entry))
        self._started = True


@contextmanager
def json_list(path: Path, key: str | None = None) -> Iterator[JsonList]:
    """Write a list: the whole file, or the field ``key`` of an object.

    Raises:
        OSError: The file cannot be written.
    """
    make_folder(path.parent)
    with path.open("x", encoding="utf-8") as file:
        file.write("[" if key is None else f"{{{compact(key)}:[")
        entries = JsonList(file)
        yield entries
        file.write("\n]")
        if key is not None:
            file.write("".join(f",\n{compact(name)}:{compact(value)}" for name, value in entries.beside.items()) + "}")
        file.write("\n")


def compact(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
