"""Bodies of requests are counted while they arrive, whatever their headers claim."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import Rejected, answer

_FORM_BYTES = 100_000  # of an upload beside the file itself


class BodyLimit:
    """Middleware: bounds bodies, those of uploads (multipart forms) apart from all others.

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
        form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        limit = self._upload + _FORM_BYTES if form else self._json
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
