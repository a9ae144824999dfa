from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")

from masklet.cli import annotate
from masklet.cli.main import main
from masklet.data_engine import accounts
from masklet.data_engine.database import Database
from masklet.data_engine.start_token import split_address
from masklet.data_engine.workspace import Workspace


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse\n"))
    monkeypatch.delenv("MASKLET_DATABASE", raising=False)


def test_accounts_are_made(tmp_path: Path, piped: None, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "workspace"
    assert main(["annotate", "user", "add", "ann", "--role", "admin", "--workspace", str(folder)]) == 0
    assert capsys.readouterr().out == "ann can sign in\n"
    assert folder.stat().st_mode & 0o077 == 0  # nobody else on this machine reads it
    database = Database(Workspace(folder).database)
    assert database.run(accounts.sign_in, "ann", "correct horse", "") is not None
    sys.stdin = io.StringIO("another secret\n")
    assert main(["annotate", "user", "password", "ann", "--workspace", str(folder)]) == 0
    assert database.run(accounts.sign_in, "ann", "correct horse", "") is None
    assert database.run(accounts.sign_in, "ann", "another secret", "") is not None
    database.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["annotate", "--host", "0.0.0.0"], "--accounts"),
        (["annotate", "--every", "0"], "--every"),
        (["annotate", "--jobs", "-1"], "jobs must be 0 or more"),
        (["annotate", "--proxy", "proxy.example"], "proxy.example"),
        (["annotate", "no.mp4", "--port", "0"], "no.mp4"),
        (["annotate", "--host", "203.0.113.1", "--accounts"], "--port"),  # an address of somebody else
        (["annotate", "user", "password", "bob"], "bob"),
    ],
)
def test_mistakes(tmp_path: Path, piped: None, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str):
    assert main([*arguments, "--workspace", str(tmp_path / "workspace")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_the_browser_opens_the_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    annotate._announce(SimpleNamespace(started=True), "http://127.0.0.1:8008", "file:///open.html")
    annotate._announce(SimpleNamespace(started=True), "http://127.0.0.1:8009", None)
    assert opened == ["file:///open.html"]
    assert "http://127.0.0.1:8009" in capsys.readouterr().out


def test_a_server_from_its_start_to_its_end(tmp_path: Path):
    arguments = [
        "annotate",
        "--workspace",
        str(tmp_path / "workspace"),
        "--port",
        "0",
        "--workers",
        "0",
        "--no-browser",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "masklet.cli.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job may have it ignored
    )
    try:
        assert process.stdout is not None
        address = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        url, token = split_address(address)
        assert token
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/api/projects")
        request = urllib.request.Request(f"{url}/api/projects", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as answer:
            assert [one["name"] for one in json.load(answer)] == ["Local"]
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert error.strip() == "interrupted"
    assert not list((tmp_path / "workspace").glob("*.html"))
    kept = [path for path in (tmp_path / "workspace").rglob("*") if path.is_file()]
    assert not [path for path in kept if token.encode() in path.read_bytes()]


def test_a_server_without_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []
    monkeypatch.setattr(annotate, "_serve", lambda settings, *_: seen.append(settings.start_token))
    monkeypatch.setenv("MASKLET_TOKEN", "mine")
    for arguments in ([], ["--no-token"], ["--accounts"]):
        assert main(["annotate", *arguments, "--workspace", str(tmp_path / "workspace"), "--port", "0"]) == 0
    monkeypatch.delenv("MASKLET_TOKEN")
    for _ in range(2):
        assert main(["annotate", "--workspace", str(tmp_path / "workspace"), "--port", "0"]) == 0
    assert seen[:3] == ["mine", None, None]
    assert len(seen[3]) > 40
    assert seen[3] != seen[4]
