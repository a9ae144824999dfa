"""Files that are complete or absent: write beside the target, then rename."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give the path of a temporary file beside ``target``; rename it when the block ends well, else remove it.

    Missing parent folders are made. A file already at ``target`` stays untouched until the rename.

    Raises:
        OSError: Writing failed, for instance because the disk is full; the message names ``target``.
    """
    temporary = temporary_beside(target)
    make_folder(target.parent)
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise write_error(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(target: Path, data: bytes) -> None:
    """Write a whole file at once, complete or not at all.

    Raises:
        OSError: As for ``replacing``.
    """
    with replacing(target) as temporary, temporary.open("xb") as file:
        file.write(data)


def temporary_beside(target: Path) -> Path:
    """An unused hidden name in the folder of ``target``, so that a rename does not cross file systems."""
    return target.parent / f".{target.name}.{secrets.token_hex(4)}.part"


def write_error(error: OSError, target: Path) -> OSError:
    """The same kind of error, saying which file could not be written and that nothing half-written is left."""
    reason = error.strerror or str(error)
    kind = next((k for k in (PermissionError, FileExistsError, NotADirectoryError) if isinstance(error, k)), OSError)
    return kind(error.errno, f"Cannot write, nothing of it is kept ({reason})", str(target))


def make_folder(folder: Path) -> Path:
    """Make a folder and its parents where they are missing.

    Raises:
        OSError: It cannot be made; the message names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error
    return folder
