"""A server's connection to a model worker: many requests at a time, and events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

LARGEST_ANSWER = 2**30


class LinkLost(ConnectionError):
    """The worker is gone, or cannot be reached; whether it did what it was asked is not known."""


class WorkerLink:
    """An open connection; :meth:`open` makes one.

    Args:
        connection: The connection.
        on_event: Called with each event.
        on_lost: Called once, when it has ended.
    """

    def __init__(
        self,
        connection: ClientConnection,
        on_event: Callable[[WorkerLink, dict[str, Any]], object],
        on_lost: Callable[[WorkerLink], object],
    ) -> None:
        self.lost = False
        self._connection, self._on_event, self._on_lost = connection, on_event, on_lost
        self._ids = count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    @staticmethod
    async def open(
        address: str,
        token: str,
        on_event: Callable[[WorkerLink, dict[str, Any]], object],
        on_lost: Callable[[WorkerLink], object],
    ) -> WorkerLink:
        """Connect to a worker.

        Raises:
            LinkLost: It cannot be reached, or does not take the token.
        """
        options: Any = {"max_size": LARGEST_ANSWER, "compression": None, "open_timeout": 5, "proxy": None}
        headers = {"Authorization": f"Bearer {token}"}
        try:
            connection = await connect(address, additional_headers=headers, **options)
        except (OSError, asyncio.TimeoutError, InvalidHandshake) as error:
            raise LinkLost(f"the model worker cannot be reached: {error}") from error
        return WorkerLink(connection, on_event, on_lost)

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            LinkLost: The worker went away.
        """
        number, answer = next(self._ids), asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            await self.send({**message, "id": number})
            return await answer
        finally:
            self._asked.pop(number, None)

    async def send(self, message: dict[str, Any]) -> None:
        """Send something that is not answered.

        Raises:
            LinkLost: The worker went away.
        """
        if self.lost:
            raise LinkLost("the model worker went away")
        try:
            await self._connection.send(json.dumps(message))
        except ConnectionClosed as error:
            raise LinkLost("the model worker went away") from error

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                message = json.loads(text)
                answer = self._asked.get(message.get("id"))
                if "event" in message:
                    self._on_event(self, message)
                elif answer is not None and not answer.done():
                    answer.set_result(message)
        except ConnectionClosed:
            pass
        finally:
            self.lost = True
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(LinkLost("the model worker went away"))
            self._on_lost(self)
