from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from masklet.data_engine.body_limits import BodyLimit
from masklet.data_engine.problems import add_handlers


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    add_handlers(app)
    app.add_middleware(BodyLimit, json_bytes=100, upload_bytes=1000)

    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    return TestClient(app)


def pieces(count: int, size: int = 50) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(size)


def test_bodies_are_bounded(client: TestClient):
    assert client.post("/", content=bytes(100)).json() == 100
    answer = client.post("/", content=bytes(101))
    assert answer.status_code == 413
    assert answer.json()["kind"] == "too_large"


def test_bodies_are_counted_whatever_is_claimed(client: TestClient):
    assert client.post("/", content=pieces(2)).json() == 100
    answer = client.post("/", content=pieces(3))  # chunked: no length is said
    assert answer.status_code == 413
    assert answer.json()["kind"] == "too_large"


def test_forms_may_be_larger(client: TestClient):
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/", content=bytes(1000), headers=form).json() == 1000
    assert client.post("/", content=bytes(200_000), headers=form).status_code == 413
