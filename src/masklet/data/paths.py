"""Where data lies: local paths, and object storage (``s3://``, ``gs://``, ``memory://`` ...) through fsspec."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, TypeVar, cast, runtime_checkable

from ..video.atomic import write_bytes
from ..video.folder import natural_key

T = TypeVar("T")


class BrokenAnnotations(ValueError):
    """A file of annotations that cannot be understood; nothing it describes can be read."""

    def __init__(self, file: DataPath, what: str) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(f"{file}: {what}")
        self.file = str(file)
        self.what = what


@runtime_checkable
class DataPath(Protocol):
    """What readers need of a path: the part of ``pathlib.Path`` that paths of object storage have too."""

    @property
    def name(self) -> str:
        """Last part."""
        ...

    @property
    def stem(self) -> str:
        """Last part without its suffix."""
        ...

    @property
    def suffix(self) -> str:
        """Suffix of the last part, with its dot."""
        ...

    @property
    def parent(self) -> DataPath:
        """Folder that holds it."""
        ...

    def __truediv__(self, key: str, /) -> DataPath: ...

    def iterdir(self) -> Iterator[DataPath]:
        """What a folder holds, in no order."""
        ...

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        ...

    def is_file(self) -> bool:
        """Whether it is a file."""
        ...

    def read_bytes(self) -> bytes:
        """The whole file."""
        ...

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Open it for reading."""
        ...


def data_path(given: str | os.PathLike[str] | DataPath) -> DataPath:
    """Make a path of what a user gives; text with ``://`` means object storage.

    Raises:
        ImportError: It lies in object storage and universal_pathlib is not installed.
        ValueError: There is no such kind of storage.
    """
    if not isinstance(given, str):
        return given if isinstance(given, DataPath) else Path(given)
    if "://" not in given:
        return Path(given).expanduser()
    try:
        from upath import UPath
    except ImportError as error:
        raise ImportError(f"{given} is in object storage, which needs pip install 'masklet[train]'") from error
    path = UPath(given)
    try:
        _ = path.fs  # loads the driver
    except ImportError as error:
        raise ImportError(f"{given} needs a driver: {error}") from error
    return cast(DataPath, path)


def entries(folder: DataPath) -> list[DataPath]:
    """What a folder holds, in natural order; hidden files are passed over.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder {folder}, found none: check the path")
    found = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    return sorted(found, key=lambda entry: natural_key(entry.name))


def files_in(folder: DataPath, suffixes: frozenset[str] | set[str]) -> list[DataPath]:
    """Files of some suffixes (lower case) in a folder, in natural order; none where there is no such folder."""
    return [entry for entry in entries(folder) if entry.suffix.lower() in suffixes] if folder.is_dir() else []


def folders_in(folder: DataPath) -> list[DataPath]:
    """Folders in a folder, in natural order; none where there is no such folder."""
    return [entry for entry in entries(folder) if entry.is_dir()] if folder.is_dir() else []


def take_split(root: DataPath, found: Mapping[str, T], split: str | None) -> T:
    """What was found under a split; without one ``train`` where it is there, else the only one.

    Raises:
        FileNotFoundError: There is no such split; the message says which there are.
        ValueError: No split is given and there are several, none of them ``train``.
    """
    if split is None and len(found) > 1 and "train" not in found:
        raise ValueError(f"{root} has the splits {', '.join(found)}: say which with split (--split)")
    name = split or ("train" if "train" in found else next(iter(found), "train"))
    if name not in found:
        raise FileNotFoundError(
            f"there is no split {name!r} in {root}, found {', '.join(found) or 'none'}: check the path and the split "
            "(--split)"
        )
    return found[name]


def read_json(path: DataPath) -> Any:
    """Parse a JSON file.

    Raises:
        BrokenAnnotations: It is no JSON.
        OSError: It cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BrokenAnnotations(path, f"it cannot be parsed as JSON ({error})") from error


def write_file(path: DataPath, data: bytes) -> None:
    """Write a whole file at once; a local one is complete or absent.

    Raises:
        OSError: It cannot be written.
    """
    if isinstance(path, Path):
        write_bytes(path, data)
    else:
        remote: Any = path
        remote.fs.pipe_file(remote.path, data)


def read_lines(path: DataPath) -> list[str]:
    """Lines of a text file without the white space around them, empty ones left out.

    Raises:
        BrokenAnnotations: It is no text.
        OSError: It cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenAnnotations(path, f"it is no UTF-8 text ({error})") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
