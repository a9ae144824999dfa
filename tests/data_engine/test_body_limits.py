from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from masklet.data_engine.body_limits import BodyLimit
from masklet.data_engine.problems import add_handlers

FORM = {"content-type": "multipart/form-data; boundary=x"}


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    add_handlers(app)
    app.add_middleware(BodyLimit, json_bytes=100, upload_bytes=1000)

    @app.api_route("/{path:path}", methods=["POST", "PATCH"])
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


@pytest.mark.parametrize("path", ["/api/projects/1/videos", "/api/projects/12/imports"])
def test_uploads_may_be_larger(client: TestClient, path: str):
    assert client.post(path, content=bytes(1000), headers=FORM).json() == 1000
    assert client.post(path, content=bytes(200_000), headers=FORM).status_code == 413
    assert client.patch(path, content=bytes(1000), headers=FORM).status_code == 413


@pytest.mark.parametrize(
    "path", ["/", "/api/sign-in", "/api/projects/1/exports", "/api/projects/1/videos/1", "/videos"]
)
def test_forms_are_no_way_around_the_limit(client: TestClient, path: str):
    for content in (bytes(1000), pieces(20)):
        assert client.post(path, content=content, headers=FORM).status_code == 413
