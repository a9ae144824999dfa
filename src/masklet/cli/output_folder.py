"""The folder a command writes into: whether that is possible, and that no input of the command lies in the way."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot be written into, without making it.

    Raises:
        OSError: It is a file, lies below one, or may not be written.
    """
    nearest = next(path for path in (out, *out.parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "Cannot write into a file: choose another -o", str(nearest))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "No permission to write into the folder: choose another -o", str(nearest))


def make_output(out: Path) -> None:
    """Make the folder and its parents where they are missing.

    Raises:
        OSError: It cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"Cannot make the folder ({error.strerror}): choose another -o"
        raise OSError(error.errno, reason, str(out)) from error


def refuse_inside(out: Path, root: Path) -> None:
    """Refuse to write into a data set.

    Raises:
        ValueError: The folder is that of the data set, or lies in it.
    """
    folder = root if root.is_dir() else root.parent
    if folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise ValueError(f"{out} lies in the data set {folder}, whose files are never touched; choose another -o")


def refuse_overwriting(inputs: Iterable[Path], replaced: Iterable[Path]) -> None:
    """Make sure that no input, under whatever name, is among the files that are written anew or removed.

    Raises:
        ValueError: One is.
    """
    places = {_identity(path) for path in replaced if path.exists()}
    for path in inputs:
        if path.exists() and _identity(path) in places:
            raise ValueError(f"this would overwrite the input {path}; choose another -o")


def remove_files(files: Iterable[Path], out: Path) -> None:
    """Remove files below a folder, then the folders between that are empty now.

    Raises:
        OSError: A file cannot be removed.
    """
    files = list(files)
    for path in files:
        path.unlink(missing_ok=True)
    folders = {folder for path in files for folder in path.parents if out in folder.parents}
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        with suppress(OSError):  # something else is in it
            folder.rmdir()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
