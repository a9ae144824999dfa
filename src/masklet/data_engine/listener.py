"""Somebody who listens to the events of a session, and may be slow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

MOST_WAITING = 8
"""Events that wait for a listener before those who tell them do."""


class Listener:
    """Events of a session, to iterate over with ``async for``; leaving an ``async with`` block ends it.

    Args:
        left: Called when it ends.
    """

    def __init__(self, left: Callable[[Listener], object]) -> None:
        self._left = left
        self._waiting: deque[dict[str, Any]] = deque()
        self._changed = asyncio.Condition()
        self._over = False

    async def put(self, event: dict[str, Any]) -> None:
        """Tell it something, as soon as there is room."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._over or len(self._waiting) < MOST_WAITING)
            self._waiting.append(event)
            self._changed.notify_all()

    async def close(self) -> None:
        """Listen no more; who iterates comes to the end."""
        self._left(self)
        async with self._changed:
            self._over = True
            self._waiting.clear()
            self._changed.notify_all()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> dict[str, Any]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._over or self._waiting)
            if self._over:
                raise StopAsyncIteration
            event = self._waiting.popleft()
            self._changed.notify_all()
        return event

    async def __aenter__(self) -> Listener:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
