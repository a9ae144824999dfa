"""The files of a corpus: what is to be done, what is done already, and how results get to their place.

A result is complete or absent, and its last file says that it is there. So the folder of results is all that a run
needs to know of the ones before it, and doing something twice does no harm.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ..data.frames import MOVIES
from ..data.paths import DataPath, data_path, files_in, read_lines, write_file
from ..video.atomic import replacing
from ..video.folder import natural_key
from ..video.images import IMAGE_SUFFIXES

LISTS = frozenset({".txt"})
SETTINGS, FAULTS = "masklet.corpus.json", "masklet.faults.json"
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"})
"""Storage in which an object is there whole or not at all."""
_BESIDE = re.compile(r"(?<=_auto)(\.mp4|/\d{3,}/\d{5,}\.png)$|\.(overlay|labels)\.png$")
"""How results end that some options add to the last file of an item."""

Kind = Literal["movie", "frames", "image"]


@dataclass(frozen=True, slots=True)  # there may be millions
class CorpusItem:
    """A video or an image.

    Attributes:
        path: Relative to the corpus, or in a list, as it stands there.
        kind: What it is; ``frames`` is a folder of images.
        flat: Whether its results lie beside those of all others; otherwise in folders as its own.
    """

    path: str
    kind: Kind
    flat: bool = False

    @property
    def name(self) -> str:
        """What its files are called after."""
        return PurePosixPath(self.path).stem

    @property
    def folder(self) -> str:
        """Where its results lie below those of the corpus; may be empty."""
        return "" if self.flat else self.path.rpartition("/")[0]

    @property
    def last_file(self) -> str:
        """The result that is written last, relative to all results."""
        name = f"{self.name}.json" if self.kind == "image" else f"{self.name}_auto.json"
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(frozen=True)
class Corpus:
    """What is to be done, in natural order.

    Attributes:
        root: What the paths of the items are relative to; empty for a list.
        items: All videos and images.
    """

    root: str
    items: tuple[CorpusItem, ...]

    def __post_init__(self) -> None:
        twice = [name for name, n in Counter(item.last_file for item in self.items).items() if n > 1]
        if twice:
            raise ValueError(f"several files of the corpus would be written to {twice[0]}: give other names, or parts")


def open_corpus(given: str) -> Corpus:
    """Find the videos and images of a folder, or of a text file with a path or address a line.

    Args:
        given: Path, or address in object storage. Of a folder: all movies, at any depth; images that lie in the folder
            itself or beside movies; other folders of images are videos.

    Raises:
        FileNotFoundError: There is no such folder or list, or nothing in it.
        ValueError: Two would be written to the same file.
    """
    path = place(given)
    if path.suffix.lower() in LISTS:
        corpus = Corpus("", tuple(_listed(line) for line in read_lines(path)))
    else:
        if not path.is_dir():
            raise FileNotFoundError(f"there is no folder {given}")
        root = str(path.absolute()) if isinstance(path, Path) else given.rstrip("/")
        corpus = Corpus(root, tuple(items_of(names_below(path))))
    if not corpus.items:
        raise FileNotFoundError(f"there are no videos and no images in {given}")
    return corpus


def items_of(names: Iterable[str]) -> list[CorpusItem]:
    """The videos and images among files, given by paths relative to a folder; hidden ones are passed over."""
    movies, images = list[str](), list[str]()
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in MOVIES or suffix in IMAGE_SUFFIXES:
            (movies if suffix in MOVIES else images).append(name)
    beside = {"", *(_parent(name) for name in movies)}
    found = [CorpusItem(name, "movie") for name in movies]
    found += [CorpusItem(name, "image") for name in images if _parent(name) in beside]
    found += [CorpusItem(folder, "frames") for folder in {_parent(name) for name in images} - beside]
    return sorted(found, key=lambda item: natural_key(item.path))


def names_below(folder: DataPath) -> Iterator[str]:
    """Files at any depth, relative to the folder with ``/``; hidden ones are passed over.

    In object storage the whole is one listing and not a request for each file.
    """
    if isinstance(folder, Path):
        for here, folders, names in os.walk(folder, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(here).relative_to(folder).as_posix()
            prefix = "" if below == "." else f"{below}/"
            yield from (prefix + name for name in names if not name.startswith("."))
        return
    remote: Any = folder
    start = len(remote.path.rstrip("/")) + 1
    for name in remote.fs.find(remote.path) if remote.exists() else ():
        relative = name[start:]
        if not any(part.startswith(".") for part in relative.split("/")):
            yield relative


def fetched(corpus_root: str, item: CorpusItem, scratch: Path) -> Path:
    """Where an item can be read: its own place, or, of object storage, a copy in a folder of this machine.

    Raises:
        FileNotFoundError: It is not there.
        OSError: It cannot be read.
    """
    source = place(f"{corpus_root}/{item.path}" if corpus_root else item.path)
    if isinstance(source, Path):
        return source
    target = scratch / source.name
    remote: Any = source
    if item.kind != "frames":
        remote.fs.get_file(remote.path, str(target))
        return target
    target.mkdir()
    for file in files_in(source, IMAGE_SUFFIXES):
        one: Any = file
        one.fs.get_file(one.path, str(target / file.name))
    return target


def publish(made: Path, results: str, item: CorpusItem) -> int:
    """Put the files of an item into their place, each complete or absent, and the one that says that it is done last.

    Args:
        made: A folder with nothing but these files, in which they lie as they shall.
        results: Path or address of all results.
        item: Whose they are.

    Returns:
        Bytes of all files.

    Raises:
        OSError: They cannot be written.
    """
    into = place(results)
    for part in filter(None, item.folder.split("/")):
        into = into / part
    files = [path for path in made.rglob("*") if path.is_file()]
    files.sort(key=lambda path: (path.name == PurePosixPath(item.last_file).name, path))
    for path in files:
        target = into
        for part in path.relative_to(made).parts:
            target = target / part
        _put(path, target)
    return sum(path.stat().st_size for path in files)


def forget(results: str, items: Iterable[CorpusItem]) -> None:
    """Remove all results of items, whatever options added; first the files that say that items are done.

    Raises:
        OSError: One cannot be removed.
    """
    folder, last = place(results), {item.last_file for item in items}
    found = [name for name in names_below(folder) if _BESIDE.sub(".json", name) in last]
    for names in ([name for name in found if name in last], [name for name in found if name not in last]):
        if isinstance(folder, Path):
            for path in (folder / name for name in names):
                path.unlink(missing_ok=True)
                with suppress(OSError):  # not empty yet, or another file lies there
                    for parent in path.relative_to(folder).parents[:-1]:
                        (folder / parent).rmdir()
        elif names:
            remote: Any = folder
            remote.fs.rm([f"{remote.path.rstrip('/')}/{name}" for name in names])


def keep_faults(results: str, faults: Mapping[str, str]) -> None:
    """Write what could not be done and why; without any the file goes away.

    Raises:
        OSError: It cannot be written.
    """
    path: Any = place(results) / FAULTS
    if faults:
        write_file(path, json.dumps(dict(sorted(faults.items())), indent=1, ensure_ascii=False).encode())
    elif path.is_file():
        path.unlink()


def place(text: str) -> DataPath:
    """A path of what a user gives; ``file://`` is a local one."""
    return Path(text.removeprefix("file://")) if text.startswith("file://") else data_path(text)


def _listed(line: str) -> CorpusItem:
    suffix = PurePosixPath(line).suffix.lower()
    kind: Kind = "movie" if suffix in MOVIES else "image" if suffix in IMAGE_SUFFIXES else "frames"
    return CorpusItem(line if "://" in line else str(Path(line).expanduser().absolute()), kind, flat=True)


def _put(source: Path, target: DataPath) -> None:
    if isinstance(target, Path):
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
        return
    remote: Any = target
    if remote.protocol in _WHOLE:
        remote.fs.put_file(str(source), remote.path)
        return
    temporary = f"{remote.parent.path}/.{remote.name}.{secrets.token_hex(4)}.part"
    remote.fs.put_file(str(source), temporary)
    remote.fs.mv(temporary, remote.path)


def _parent(name: str) -> str:
    return name.rpartition("/")[0]
