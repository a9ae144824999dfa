from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from masklet.data_engine.origins import SameOrigin


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def live(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


APP = Starlette(routes=[Route("/", hello, methods=["GET", "POST"]), WebSocketRoute("/live", live)])


def client(host: str = "127.0.0.1", known: tuple[str, ...] = ()) -> TestClient:
    return TestClient(SameOrigin(APP, host, known))


@pytest.mark.parametrize(
    ("listening", "asked", "known"),
    [
        ("127.0.0.1", "localhost:8008", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "127.0.0.1:8008", True),
        ("127.0.0.1", "[::1]:8008", True),
        ("127.0.0.1", "team.example", True),
        ("127.0.0.1", "other.example", False),
        ("127.0.0.1", "192.168.1.5:8008", False),
        ("127.0.0.1", "localhost.other.example", False),
        ("127.0.0.1", "localhost@other.example", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "[", False),
        ("0.0.0.0", "192.168.1.5:8008", True),
        ("0.0.0.0", "other.example", False),
    ],
)
def test_only_known_hosts(listening: str, asked: str, known: bool):
    answer = client(listening, ("team.example",)).get("/", headers={"host": asked})
    assert answer.status_code == (200 if known else 403)


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({}, True),  # no browser
        ({"origin": "http://localhost:8008"}, True),
        ({"origin": "https://localhost:8008"}, True),  # behind a proxy
        ({"origin": "http://localhost:8009"}, False),
        ({"origin": "http://localhost"}, False),
        ({"origin": "http://other.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
    ],
)
def test_other_sites_change_nothing_and_hear_nothing(headers: dict[str, str], same: bool):
    ours = {"host": "localhost:8008", **headers}
    assert client().get("/", headers=ours).status_code == 200
    assert client().post("/", headers=ours).status_code == (200 if same else 403)
    if same:
        with client().websocket_connect("/live", headers=ours) as socket:
            assert socket.receive_text() == "hello"
    else:
        with pytest.raises(WebSocketDisconnect), client().websocket_connect("/live", headers=ours):
            pass


def test_over_https_the_page_is_https_too():
    ours = {"host": "localhost", "origin": "http://localhost"}
    assert TestClient(SameOrigin(APP, "127.0.0.1"), "https://localhost").post("/", headers=ours).status_code == 403
