"""The page: files beside this one, served wherever the API is not."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from .problems import Rejected, answer

FOLDER = Path(__file__).parent / "web"


class Page:
    """Middleware: whatever does not begin with ``/api/`` and is not ``/metrics`` is a file of the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._files = StaticFiles(directory=FOLDER, html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith("/api/") or path in ("/api", "/metrics"):
            await self._app(scope, receive, send)
            return
        try:
            await self._files(scope, receive, send)
        except HTTPException as error:
            kind = "invalid" if error.status_code == 405 else "not_found"
            await answer(Rejected(kind, "the page has no such file"))(scope, receive, send)
