"""The start token: who may use a server without accounts, which every user of its machine can reach.

The address that ``masklet annotate`` prints ends with it after a ``#``, so that browsers send it in no request line.
The page exchanges it for a cookie; programs send it as ``Authorization: Bearer TOKEN``. A token holds as long as the
server runs, a cookie goes on after a restart.
"""

from __future__ import annotations

import hmac
import os
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

_MARK = "token="
ASK = (
    "this server wants its start token: open the address that `masklet annotate` printed when it started, or send "
    "'Authorization: Bearer TOKEN'"
)


def same(given: str | None, token: str) -> bool:
    """Whether it is the token, in a time that tells nothing."""
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def bearer(header: str | None) -> str | None:
    """The token of an ``Authorization`` header."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def address_with(url: str, token: str | None) -> str:
    """The address that a user opens."""
    return url if token is None else f"{url}/#{_MARK}{quote(token, safe='')}"


def split_address(address: str) -> tuple[str, str | None]:
    """URL of the server and its token, of an address as it was printed."""
    parts = urlsplit(address)
    token = unquote(parts.fragment.removeprefix(_MARK)) if parts.fragment.startswith(_MARK) else None
    return parts._replace(fragment="").geturl().rstrip("/"), token


class OpeningFile:
    """A file that leads a browser to an address.

    A browser that is started with the address itself would show the token to every user of the machine, among the
    arguments of its process.

    Args:
        path: Where it is written; only its owner can read it.
        address: Where it leads.
    """

    def __init__(self, path: Path, address: str) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        text = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={escape(address)}">'
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    @property
    def url(self) -> str:
        """What the browser is told to open."""
        return self._path.absolute().as_uri()

    def remove(self) -> None:
        """Remove it."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
