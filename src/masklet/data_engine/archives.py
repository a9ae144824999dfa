"""Zip archives: a folder as one file, and the other way without trust in what is in it."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..video.atomic import make_folder, replacing

_COMPRESSED = frozenset({".jpg", ".jpeg", ".png", ".webp", ".mp4"})
_BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold: so many files, and so many bytes once it is unpacked."""

    files: int = 500_000
    size: int = 20 << 30


def zip_folder(folder: Path, out: Path, on_progress: Callable[[float], None] | None = None) -> None:
    """Write the files of a folder as a zip archive, complete or not at all; pictures and movies are not compressed.

    Args:
        folder: The folder.
        out: The archive.
        on_progress: Is told how much is done, 0 to 1; what it raises ends the writing.

    Raises:
        OSError: It cannot be written.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "x", strict_timestamps=False) as archive:
        for done, path in enumerate(files, start=1):
            kind = zipfile.ZIP_STORED if path.suffix.lower() in _COMPRESSED else zipfile.ZIP_DEFLATED
            archive.write(path, path.relative_to(folder).as_posix(), kind)
            if on_progress is not None:
                on_progress(done / len(files))


def unzip(archive: Path, folder: Path, limits: ArchiveLimits | None = None) -> None:
    """Unpack an archive that somebody uploaded into a folder.

    Its own statements of sizes are not believed: bytes are counted as they come.

    Raises:
        ValueError: It is no zip archive, damaged, too large, encrypted, or has a name that leads out of the folder.
        OSError: A file cannot be written.
    """
    limits = limits or ArchiveLimits()
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [one for one in opened.infolist() if not one.is_dir()]
            if len(entries) > limits.files:
                raise ValueError(
                    f"the archive holds {len(entries):,} files, expected at most {limits.files:,}: split it"
                )
            left = limits.size
            for entry in entries:
                left = _unpack(opened, entry, folder / _checked(entry), left, limits)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ValueError("the archive has two files of one name") from error
    except (*_BROKEN, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"expected a zip archive that is whole and not encrypted ({error})") from error


def _checked(entry: zipfile.ZipInfo) -> PurePosixPath:
    """The entry's path, if it stays in its folder.

    Raises:
        ValueError: It does not, or is a link.
    """
    path = PurePosixPath(entry.filename)
    outside = path.is_absolute() or ".." in path.parts or "\\" in entry.filename or "\0" in entry.filename
    if outside or not path.parts or ":" in path.parts[0] or stat.S_ISLNK(entry.external_attr >> 16):
        raise ValueError(f"the archive has an entry {entry.filename[:80]!r}, expected files in folders of its own")
    return path


def _unpack(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int, limits: ArchiveLimits) -> int:
    """Write one file; gives how many bytes may still come."""
    if entry.file_size > left:
        raise ValueError(f"the archive unpacks to more than {limits.size:,} bytes: split it")
    make_folder(target.parent)
    with opened.open(entry) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, _BLOCK)  # zipfile gives no more than the stated size
    return left - entry.file_size
