"""The live client against a server of a few lines, which breaks off whenever the test wants it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from masklet.data_engine.client import Client
from masklet.data_engine.client_errors import EngineError
from masklet.data_engine.live_client import Live, Reply

TASK = {"id": 7, "lease": "abc"}
STATE = {"event": "state", "objects": [], "running": None}
Says = Callable[[dict[str, Any]], list[dict[str, Any]] | None]


class Server:
    """Answers by ``says``; None breaks the connection off without an answer."""

    def __init__(self, says: Says) -> None:
        self.says, self.heard, self.hellos, self.paths = says, [], [], []

    async def __call__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.hellos.append(json.loads(await connection.recv()))
        await connection.send(json.dumps(STATE))
        async for text in connection:
            message = json.loads(text)
            self.heard.append(message)
            said = self.says(message)
            if said is None:
                await connection.close(1011)
                return
            for one in said:
                await connection.send(json.dumps(one))


@asynccontextmanager
async def connected(server: Server, replies: list[Reply] | None = None) -> AsyncIterator[Live]:
    async with serve(server, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        heard = [] if replies is None else replies
        client = Client(f"http://127.0.0.1:{port}", patience=5.0, on_reply=heard.append)
        client.csrf = "token"
        async with client.live(TASK) as live:
            yield live
        await client.__aexit__(None, None, None)


def _ok(message: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{"reply": message["id"], "ok": True, **more}]


def test_actions_are_named_and_answered():
    async def run() -> None:
        server, replies = Server(lambda m: _ok(m, mask={"counts": "x"})), []
        async with connected(server, replies) as live:
            reply = await live.act("prompt", seconds=2.5, frame=3, object=1)
        assert server.hellos == [{"csrf": "token", "lease": "abc"}]
        assert server.paths == ["/api/tasks/7/live"]
        (heard,) = server.heard
        assert (heard["kind"], heard["frame"], heard["seconds"], heard["name"]) == ("prompt", 3, 2.5, reply.name)
        assert reply.body["mask"] == {"counts": "x"}
        assert replies == [reply]

    asyncio.run(run())


def test_an_action_that_was_not_answered_is_sent_again_under_its_name():
    async def run() -> None:
        server = Server(lambda m: None if len(server.heard) < 3 else _ok(m))
        replies: list[Reply] = []
        async with connected(server, replies) as live:
            await live.act("prompt", frame=0, object=1)
            assert live.reconnected == 2
        assert len({one["name"] for one in server.heard}) == 1
        assert len(server.heard) == 3
        assert len(replies) == 1

    asyncio.run(run())


def test_busy_is_tried_again_and_other_refusals_are_errors():
    async def run() -> None:
        def says(message: dict[str, Any]) -> list[dict[str, Any]]:
            kind = "busy" if len(server.heard) < 3 else "refused"
            return [{"reply": message["id"], "ok": False, "error": "no", "kind": kind}]

        server = Server(says)
        async with connected(server) as live:
            with pytest.raises(EngineError, match="no") as refused:
                await live.act("prompt", frame=0, object=1)
        assert refused.value.kind == "refused"
        assert len(server.heard) == 3
        assert len({one["name"] for one in server.heard}) == 1

    asyncio.run(run())


def test_a_lost_lease_ends_it():
    async def run() -> None:
        server = Server(lambda m: [{"event": "lease_lost"}])
        async with connected(server) as live:
            with pytest.raises(EngineError, match="lease"):
                await live.act("prompt", frame=0, object=1)
            with pytest.raises(EngineError, match="lease"):
                await live.act("prompt", frame=1, object=1)

    asyncio.run(run())


def test_events_come_in_order_and_the_state_is_known():
    async def run() -> None:
        def says(message: dict[str, Any]) -> list[dict[str, Any]]:
            running = {**STATE, "running": {"direction": "forward"}}
            frames = [{"event": "frame", "frame": t, "masks": []} for t in range(3)]
            return [*_ok(message), running, *frames, {"event": "finished", "name": message["name"]}, STATE]

        async with connected(Server(says)) as live:
            assert not await live.tracking()
            await live.act("propagate", start=0, direction="forward")
            events = [await live.events.get() for _ in range(4)]
            assert [one.get("frame") for one in events] == [0, 1, 2, None]
            for _ in range(100):
                if not await live.tracking():
                    return
                await asyncio.sleep(0.01)
            raise AssertionError

    asyncio.run(run())


def test_what_the_server_has_not_said_counts_as_tracking():
    async def run() -> None:
        async with connected(Server(_ok)) as live:
            await live.act("propagate", start=0, direction="forward")
            assert await live.tracking()

    asyncio.run(run())
