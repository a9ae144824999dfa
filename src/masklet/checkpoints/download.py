"""Download of one file over HTTPS: progress, resume, size check, SHA-256 beside it, moved into place when complete."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from .. import __version__

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], object]
"""Called with the bytes on disk and the size of the file, None while that is unknown."""

ATTEMPTS = 5
_BLOCK = 1 << 20
_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # answers of a server that may do better in a moment


class DownloadError(OSError):
    """Weights that could not be had; the message says where they belong and how to get them."""


def offline() -> bool:
    """Whether the network is forbidden, by one of the variables of :func:`offline_variable`."""
    return offline_variable() is not None


def offline_variable() -> str | None:
    """The variable that forbids the network, None where none does.

    ``MASKLET_OFFLINE``, ``HF_HUB_OFFLINE``, or, as for huggingface_hub, ``TRANSFORMERS_OFFLINE`` where that is not set.
    """
    hub = "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"
    for name in ("MASKLET_OFFLINE", hub):
        if os.environ.get(name, "").strip().upper() in ("1", "ON", "YES", "TRUE"):
            return name
    return None


def cache_folder() -> Path:
    """Where files go: ``MASKLET_CACHE``, else ``masklet`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen = os.environ.get("MASKLET_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "masklet"


def download(
    url: str,
    target: Path,
    *,
    progress: Progress | None = None,
    attempts: int = ATTEMPTS,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> Path:
    """Bring a file to ``target``, unless it is there; an earlier download that broke off is continued.

    Args:
        url: Where the file is.
        target: Where it goes; its folder is made.
        progress: Called after each block.
        attempts: Tries after which a broken connection is an error.
        pause: Seconds before the second try; doubled before each further one.
        timeout: Seconds without any data after which a connection counts as broken.

    Raises:
        DownloadError: If the network is forbidden, the server has no such file or sends too little of it.
        OSError: If the folder or the file cannot be written.
    """
    if target.exists():
        return target
    by_hand = f"fetch {url} elsewhere and put it there as {target}"
    if offline():
        raise DownloadError(
            f"{target.name} is not in the cache and the network is off ({offline_variable()} is set): "
            f"unset it, or {by_hand}"
        )
    from huggingface_hub.utils import WeakFileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with WeakFileLock(target.with_name(target.name + ".lock")):
        if target.exists():  # another process was faster
            return target
        logger.info("downloading %s to %s", url, target)
        _insist(url, part, progress, attempts, pause, timeout, by_hand)
        _sidecar(target).write_text(f"{sha256(part)}  {target.name}\n", encoding="utf-8")
        part.replace(target)
        _tag(part).unlink(missing_ok=True)
    logger.info("downloaded %s (%d bytes)", target, target.stat().st_size)
    return target


def verify(path: Path) -> bool | None:
    """Whether a downloaded file is still what was downloaded; None if nothing was noted of it."""
    noted = _sidecar(path)
    if not noted.exists():
        return None
    return noted.read_text(encoding="utf-8").split()[:1] == [sha256(path)]


def sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _insist(
    url: str, part: Path, progress: Progress | None, attempts: int, pause: float, timeout: float, by_hand: str
) -> None:
    reason: object = None
    for attempt in range(attempts):
        if attempt:
            logger.info("%s broke off (%s); trying again", url, reason)
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            return _receive(url, part, progress, timeout)
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code} {error.reason}"
            error.close()
            if error.code == 416:  # our part is no beginning of the file
                part.unlink(missing_ok=True)
            elif error.code not in _AGAIN:
                raise DownloadError(f"{url}: {reason}; check the address and your access, or {by_hand}") from error
        except urllib.error.URLError as error:
            reason = error.reason
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            reason = error
    have = part.stat().st_size if part.exists() else 0
    raise DownloadError(
        f"{url}: gave up after {attempts} tries ({reason}); {have} bytes are kept in {part} and the next call goes on "
        f"from there; check the network and any proxy, or {by_hand}"
    )


def _receive(url: str, part: Path, progress: Progress | None, timeout: float) -> None:
    """One connection: append to ``part``, or begin anew where the server cannot continue."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"masklet/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if _tag(part).exists():  # a file that has changed since is sent whole
            headers["If-Range"] = _tag(part).read_text(encoding="utf-8")
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        if response.headers.get_content_type() == "text/html":
            raise DownloadError(f"{url}: got a web page in place of the file; a proxy or login page may be in the way")
        size = _number(response.headers.get("Content-Length"))
        total = size
        if response.status == 206:
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if match is None or int(match[1]) != have:
                part.unlink()
                raise ConnectionError("the server continued at another place")
            total = _number(match[2]) if match[2] != "*" else (None if size is None else have + size)
        else:
            have = 0
            _note_tag(part, response.headers.get("ETag"))
        _room(part, total, have)
        with part.open("ab" if have else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                have += len(block)
                if progress is not None:
                    progress(have, total)
    if have == 0 or (total is not None and have < total):
        raise ConnectionError(f"got {have} bytes of {total}")
    if total is not None and have > total:
        part.unlink()
        raise ConnectionError(f"got {have} bytes, more than the {total} that were announced")


def _room(part: Path, total: int | None, have: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise DownloadError(
            f"{part.parent}: {total - have} more bytes are needed and {free} are free; make room, or choose another "
            "folder with MASKLET_CACHE"
        )


def _note_tag(part: Path, tag: str | None) -> None:
    if tag and not tag.startswith("W/"):  # a weak tag cannot vouch for bytes
        _tag(part).write_text(tag, encoding="utf-8")
    else:
        _tag(part).unlink(missing_ok=True)


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
