"""Bodies of requests are counted while they arrive, whatever their headers claim."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import Rejected, answer

_FORM_BYTES = 100_000  # of an upload beside the file itself
_UPLOADS = re.compile(r"/api/projects/[0-9]+/(videos|imports)")
"""Routes that write what arrives to disk, and look first who sends it. All others hold the body in memory before that,
whatever its type."""


class BodyLimit:
    """Middleware: bounds bodies, those of the two routes of uploads apart from all others.

    Args:
        app: What is behind it.
        json_bytes: Of ordinary requests.
        upload_bytes: Of a file.
    """

    def __init__(self, app: ASGIApp, json_bytes: int, upload_bytes: int) -> None:
        self._app, self._json, self._upload = app, json_bytes, upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        upload = scope["method"] == "POST" and _UPLOADS.fullmatch(scope["path"])
        limit = self._upload + _FORM_BYTES if upload else self._json
        too_large = Rejected("too_large", f"the request is larger than {limit:,} bytes, which is the most here")
        claimed = headers.get("content-length", "0")
        if claimed.isdecimal() and int(claimed) > limit:
            await answer(too_large, {"Connection": "close"})(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > limit:
                raise too_large
            return message

        await self._app(scope, counted, send)
