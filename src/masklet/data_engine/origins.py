"""Requests that a page of another site makes are turned away before anything reads them.

The Host header must be a name of ours, else another site's name could be made to point at this machine (DNS rebinding).
The Origin of whatever changes something, and of live connections, must be the page that this server gave out.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from .problems import Rejected, answer
from .server_settings import is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SameOrigin:
    """Middleware: turns requests of other sites away.

    Args:
        app: What is behind it.
        host: Address that the server listens at. At loopback only loopback names are known, elsewhere any plain address
            (which cannot be rebound) and the machine's name.
        known_hosts: Names besides.
    """

    def __init__(self, app: ASGIApp, host: str, known_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._loopback = is_loopback(host)
        names = {"localhost", *known_hosts} if self._loopback else {"localhost", socket.gethostname(), *known_hosts}
        self._names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        fault = self._fault(scope)
        if fault is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008, reason=fault)(scope, receive, send)  # before it is accepted: status 403
        else:
            await answer(Rejected("forbidden", fault))(scope, receive, send)

    def _fault(self, scope: Scope) -> str | None:
        """What is wrong with where a request comes from or goes to; None: nothing."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._known(host):
            return "this server is not known by that name: whoever runs it can add it with --known-host"
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return None
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "the request comes from another site"
        origin = headers.get("origin")
        if origin is not None and not _same(origin, host, scope["scheme"]):
            return "the request comes from another site"
        return None

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if not name or "@" in host:
            return False
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._loopback


def _same(origin: str, host: str, scheme: str) -> bool:
    """Whether an origin is our page. Behind a proxy that does not say so, https is taken for http."""
    expected = {f"https://{host}"} if scheme in ("https", "wss") else {f"https://{host}", f"http://{host}"}
    return origin.lower() in {one.lower() for one in expected}
