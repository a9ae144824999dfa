"""A server without accounts: only who has its start token gets in, from browsers and programs."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine_server import HOST, Page, Served, served, task_of
from masklet.data_engine.sign_in_cookie import SignInCookie
from masklet.data_engine.start_token import OpeningFile, address_with, bearer, same, split_address

TOKEN = "abc/def ghi"
PROGRAM = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("local"), start_token=TOKEN, requests_per_second=10_000.0) as one:
        one.pool.numbers = {1}
        yield one


def browser(one: Served) -> TestClient:
    """One that has just been opened."""
    client = TestClient(one.app, HOST)
    client.portal = one.portal
    client.headers["host"] = HOST.removeprefix("http://")
    return client


def test_the_page_is_there_for_all_and_says_what_to_do(local: Served):
    client = browser(local)
    assert client.get("/").status_code == 200
    refused = client.get("/api/me")
    assert "masklet annotate" in refused.json()["error"]
    assert client.get("/api/health").status_code in (200, 503)


def test_a_browser_exchanges_it_for_a_cookie(local: Served):
    client = browser(local)
    assert client.post("/api/start", json={"token": "wrong"}).json()["kind"] == "token"
    assert not client.cookies
    started = client.post("/api/start", json={"token": TOKEN})
    assert started.status_code == 204
    assert {"httponly", "samesite=strict"} <= set(started.headers["set-cookie"].lower().split("; "))
    assert TOKEN not in str(started.headers)
    me = client.get("/api/me").json()
    assert (me["name"], me["local"]) == ("local", True)
    assert client.post("/api/projects", json={"name": "a"}).json()["kind"] == "forbidden"  # not from our page
    client.headers["X-Masklet-CSRF"] = me["csrf"]
    assert client.post("/api/projects", json={"name": "a"}).status_code == 201
    (cookie,) = client.cookies.jar
    forged = SignInCookie(b"another workspace")
    assert local.serving.cookie.is_local({cookie.name: str(cookie.value)})
    assert not forged.is_local({cookie.name: str(cookie.value)})
    assert forged._local_name != cookie.name  # two servers of a machine do not take each other's place


def test_other_sites_do_not_use_it(local: Served):
    other = {"origin": "http://other.example"}
    assert browser(local).post("/api/start", json={"token": TOKEN}, headers=other).json()["kind"] == "forbidden"
    assert browser(local).post("/api/projects", json={"name": "b"}, headers={**PROGRAM, **other}).status_code == 403


def test_live_connections_want_it(local: Served):
    project = local.project("live")
    local.video(project)
    program = browser(local)
    program.headers.update(PROGRAM)
    task = task_of(program, project)  # no other site can have a browser send the header, so that it needs no CSRF token
    with Page(browser(local), task["id"], task["lease"]) as page:
        refused = page.reply(None)
        assert (refused["ok"], refused["kind"]) == (False, "token")
    with Page(program, task["id"], task["lease"]) as page:
        assert page.event("state")


def test_it_cannot_be_guessed_quickly(local: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local.serving.sign_ins, "_clock", lambda: 0.0)
    codes = [browser(local).post("/api/start", json={"token": f"{i}"}).status_code for i in range(35)]
    assert codes[-1] == 429


def test_servers_that_want_none(tmp_path: Path):
    for number, settings in enumerate(({}, {"accounts": True, "start_token": TOKEN})):
        with served(tmp_path / f"{number}", **settings) as one:
            assert browser(one).post("/api/start", json={"token": TOKEN}).json()["kind"] == "refused"
            wanted = 401 if "accounts" in settings else 200
            assert browser(one).get("/api/me", headers=PROGRAM).status_code == wanted


def test_it_is_not_logged(local: Served, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        browser(local).post("/api/start", json={"token": TOKEN, "more": 1})
        browser(local).get("/api/me", headers=PROGRAM)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["abc", TOKEN, "é#&="])
def test_addresses(token: str):
    address = address_with("http://127.0.0.1:8008", token)
    assert "?" not in address
    assert split_address(address) == ("http://127.0.0.1:8008", token)
    assert split_address("http://127.0.0.1:8008/") == ("http://127.0.0.1:8008", None)
    assert address_with("http://127.0.0.1:8008", None) == "http://127.0.0.1:8008"


def test_what_is_the_token():
    assert same("a", "a")
    assert not any(same(given, "a") for given in (None, "", "b", "a ", "é"))
    assert [bearer(header) for header in ("Bearer a", "bearer a", "Basic a", "", None)] == ["a", "a", None, None, None]


def test_the_browser_is_led_by_a_file_that_others_cannot_read(tmp_path: Path):
    path = tmp_path / "open.html"
    path.write_text("of a server that was killed")
    path.chmod(0o644)
    opening = OpeningFile(path, "http://127.0.0.1:8008/#token=a&b")
    assert opening.url == path.as_uri()
    assert "url=http://127.0.0.1:8008/#token=a&amp;b" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    opening.remove()
    opening.remove()
    assert not path.exists()
