"""A client of the engine's server: REST calls, and a live connection to a task that survives a server that does not.

An action is named before it is sent. One that was not answered is sent again under the same name when the server is
there again, so that it is done once however often the connection, a worker or the server dies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from .client_errors import EngineError, ServerGone, pause
from .live_client import Live, Reply
from .start_token import split_address

PATIENCE = 60.0
"""Seconds for which a server that does not answer is tried again."""
_LARGEST_MESSAGE = 64 << 20
_MOST_FRAMES = 64  # of one request for masks


class Client:
    """One user of a server; use it as an asynchronous context.

    Args:
        url: Address of the server, such as ``http://127.0.0.1:8008``; one that wants a start token: as
            ``masklet annotate`` printed it.
        name: Name to sign in with; None: the server is local and wants none.
        password: The password.
        patience: Seconds for which a server that does not answer is tried again.
        on_reply: Is told of every action that was answered.
    """

    def __init__(
        self,
        url: str,
        name: str | None = None,
        password: str | None = None,
        *,
        patience: float = PATIENCE,
        on_reply: Callable[[Reply], None] = lambda reply: None,
    ) -> None:
        self.url, token = split_address(url)
        self._start = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._account = None if name is None else {"name": name, "password": password or ""}
        self._patience = patience
        self.on_reply = on_reply
        self._http = httpx.AsyncClient(
            base_url=f"{self.url}/api/", timeout=60, headers={"Origin": self.url, **self._start}
        )
        self.csrf = ""
        self.user: Mapping[str, Any] = {}

    async def __aenter__(self) -> Client:
        """Sign in."""
        if self._account is not None:
            await self._call("POST", "sign-in", again=True, json=self._account)
        self.user = await self.get("me")
        self.csrf = self.user["csrf"]
        self._http.headers["X-Masklet-CSRF"] = self.csrf
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    # REST

    async def get(self, path: str, **query: Any) -> Any:
        """A GET, again and again while the server is away."""
        return await self._call("GET", path, again=True, params=query)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A POST, again only where the server cannot have had it; None where it answers with nothing."""
        return await self._call("POST", path, json=dict(body or {}))

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """A PATCH, likewise."""
        return await self._call("PATCH", path, json=dict(body))

    async def upload(self, project_id: int, path: Path, name: str | None = None) -> Any:
        """Add a video: a movie or a zip archive of images."""
        with path.open("rb") as file:
            return await self._call("POST", f"projects/{project_id}/videos", files={"file": (name or path.name, file)})

    async def claim(self, project_id: int, stage: str) -> dict[str, Any] | None:
        """The next task of a stage, leased; None where there is none. One whose lease is lost on its way runs out."""
        return await self._call("POST", f"projects/{project_id}/claim", again=True, json={"stage": stage})

    async def finish(self, task: Mapping[str, Any], what: str = "submit", **body: Any) -> None:
        """Hand in a task (``what`` submit or verdict), which the server does once however often it is told.

        Raises:
            EngineError: It was refused.
            ServerGone: The server has not come back.
        """
        path = f"tasks/{task['id']}/{what}"
        await self._call("POST", path, again=True, json={"lease": task["lease"], **body})

    async def frame(self, video_id: int, frame: int) -> bytes:
        """A frame of a video as JPEG."""
        return await self.get(f"videos/{video_id}/frames/{frame}")

    async def masks(self, video_id: int, first: int, count: int) -> list[dict[str, Any]]:
        """Masks that were handed in or proposed, on some frames of a video."""
        found: list[dict[str, Any]] = []
        for start in range(first, first + count, _MOST_FRAMES):
            most = min(_MOST_FRAMES, first + count - start)
            found += (await self.get(f"videos/{video_id}/masks", first=start, count=most))["masks"]
        return found

    async def wait_for_videos(self, project_id: int, every: float = 0.2) -> list[dict[str, Any]]:
        """The videos of a project once none is arriving any more."""
        while True:
            videos = await self.get(f"projects/{project_id}/videos")
            if all(one["state"] != "arriving" for one in videos):
                return videos
            await asyncio.sleep(every)

    async def _call(self, method: str, path: str, *, again: bool = False, **given: Any) -> Any:
        """Ask until there is an answer; ``again``: also where the server may have done it already."""
        started, tries = time.monotonic(), 0
        while True:
            try:
                answer = await self._http.request(method, path, **given)
            except httpx.TransportError as error:
                unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if not again and not unsent:
                    raise
                if time.monotonic() - started > self._patience:
                    raise ServerGone(f"{self.url} has not answered for {self._patience:.0f} s") from error
            else:
                if answer.status_code not in (429, 503) or time.monotonic() - started > self._patience:
                    return _content(answer)
            await asyncio.sleep(pause(tries))
            tries += 1

    # A task

    @asynccontextmanager
    async def live(self, task: Mapping[str, Any]) -> AsyncIterator[Live]:
        """A connection to the session of a leased task, which keeps the lease."""
        live = Live(self, task, self._patience)
        try:
            await live.open()
            yield live
        finally:
            await live.close()

    async def connected(self, path: str) -> ClientConnection:
        """A WebSocket with this client's cookies and token."""
        cookies = "; ".join(f"{one.name}={one.value}" for one in self._http.cookies.jar)
        headers = {**({"Cookie": cookies} if cookies else {}), **self._start}
        url = "ws" + self.url.removeprefix("http") + path
        return await connect(url, origin=self.url, additional_headers=headers, max_size=_LARGEST_MESSAGE)  # pyright: ignore[reportArgumentType]


def _content(answer: httpx.Response) -> Any:
    """What a response holds.

    Raises:
        EngineError: It is a refusal.
    """
    if answer.is_success:
        if answer.status_code == 204 or not answer.content:
            return None
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.content
    try:
        body = answer.json()
    except ValueError:
        body = {}
    raise EngineError(
        str(body.get("error") or f"the server answered {answer.status_code}"), body.get("kind", "refused")
    )
