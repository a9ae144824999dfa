from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from masklet.data_engine.problems import Rejected, add_handlers
from masklet.data_engine.uploads import receive, shown_name

LIMIT = 3_000_000


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    app = FastAPI()
    add_handlers(app)

    @app.post("/")
    async def upload(request: Request) -> dict[str, object]:
        done = await receive(request, tmp_path / "arrived", LIMIT, ("format",))
        return {"name": done.name, "bytes": done.bytes, "fields": done.fields}

    return TestClient(app)


def test_a_file_arrives_with_its_fields(client: TestClient, tmp_path: Path):
    content = bytes(range(256)) * 10_000
    answer = client.post("/", files={"file": ("clip.mp4", content)}, data={"format": "davis"})
    assert answer.json() == {"name": "clip.mp4", "bytes": len(content), "fields": {"format": "davis"}}
    assert (tmp_path / "arrived").read_bytes() == content


@pytest.mark.parametrize(
    ("files", "data", "kind"),
    [
        ({"file": ("a", bytes(LIMIT + 1))}, {}, "too_large"),
        ({"file": ("a", b"")}, {}, "invalid"),
        ({"other": ("a", b"x")}, {}, "invalid"),
        ([("file", ("a", b"x")), ("file", ("b", b"y"))], {}, "invalid"),
        ({"file": ("a", b"x")}, {"format": "x" * 1001}, "invalid"),
        ({"file": ("a", b"x")}, {"format": ["a", "b"]}, "invalid"),
        ({"file": ("a", b"x")}, {"other": "x"}, "invalid"),
        ({"file": ("..", b"x")}, {}, "invalid"),
    ],
)
def test_what_is_not_taken_leaves_nothing(client: TestClient, tmp_path: Path, files: object, data: object, kind: str):
    answer = client.post("/", files=files, data=data)
    assert answer.status_code in (413, 422)
    assert answer.json()["kind"] == kind
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [None, "text/plain", "multipart/form-data", "multipart/form-data; boundary="])
def test_other_kinds_of_bodies(client: TestClient, tmp_path: Path, kind: str | None):
    answer = client.post("/", content=b"hello", headers={} if kind is None else {"content-type": kind})
    assert answer.status_code == 422
    assert not list(tmp_path.iterdir())


def test_a_form_that_breaks_off(client: TestClient, tmp_path: Path):
    whole = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nabcdef\r\n--x--\r\n'
    form = {"content-type": "multipart/form-data; boundary=x"}
    for end in range(len(whole) - 4):
        answer = client.post("/", content=whole[:end], headers=form)
        assert answer.status_code == 422, end
        assert not list(tmp_path.iterdir())
    assert client.post("/", content=whole, headers=form).json()["bytes"] == 6


@given(st.binary(max_size=300))
def test_damaged_forms_are_refused(client_of_class: TestClient, body: bytes):
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert client_of_class.post("/", content=b"--x\r\n" + body, headers=form).status_code == 422


@pytest.fixture(scope="module")
def client_of_class(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    app, folder = FastAPI(), tmp_path_factory.mktemp("uploads")
    add_handlers(app)

    @app.post("/")
    async def upload(request: Request) -> None:
        await receive(request, folder / "arrived", LIMIT)

    return TestClient(app)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\videos\\clip.mp4", "clip.mp4"),
        ("a\0b\nc.mp4", "abc.mp4"),
        ("\u202egpj.exe", "gpj.exe"),
        ("x" * 300, "x" * 200),
        ("录像.mp4", "录像.mp4"),
    ],
)
def test_names_are_only_names(given: str, shown: str):
    assert shown_name(given) == shown


@pytest.mark.parametrize("given", ["", ".", "..", "a/", "\0", "../.."])
def test_no_name(given: str):
    with pytest.raises(Rejected, match="no name"):
        shown_name(given)
