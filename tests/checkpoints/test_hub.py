from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from file_server import Behaviour, serve
from masklet.checkpoints import hub
from masklet.checkpoints.available import available
from masklet.checkpoints.download import DownloadError
from masklet.checkpoints.hub import Located, locate
from masklet.checkpoints.registry import REGISTRY

TINY = REGISTRY["sam2.1_hiera_tiny"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def in_hugging_face_cache(cache: Path, repository: str, name: str) -> Path:
    """A file as huggingface_hub keeps it."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    file = folder / "snapshots" / COMMIT / name
    file.parent.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    file.write_bytes(b"weights")
    return file


def test_a_file_a_folder_and_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "any.pt"
    file.touch()
    assert locate(file) == locate(str(file)) == locate(tmp_path) == Located(file)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("~/any.pt") == Located(file)
    (tmp_path / "model.safetensors").touch()
    assert locate(tmp_path) == Located(tmp_path / "model.safetensors")


def test_a_folder_must_hold_one_weight_file(tmp_path: Path):
    with pytest.raises(ValueError, match=r"got no weight file"):
        locate(tmp_path)
    (tmp_path / "model.safetensors.index.json").touch()
    with pytest.raises(ValueError, match=r"in several parts"):
        locate(tmp_path)
    (tmp_path / "a.pt").touch()
    (tmp_path / "b.pt").touch()
    with pytest.raises(ValueError, match=r"several weight files \(a.pt, b.pt\)"):
        locate(tmp_path)


@pytest.mark.parametrize("source", ["missing.pt", "./nano", "/no/such", "~/none", Path("nano")])
def test_a_missing_file_is_not_taken_for_a_name(source: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no such file or folder; give .* names nano, "):
        locate(source)


def test_an_unknown_name():
    with pytest.raises(ValueError, match=r"did you mean"):
        locate("sam2.1_hiera_hug")


def test_a_name_is_downloaded_from_its_address_and_found_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    behaviour = Behaviour(b"official weights")
    with serve(behaviour) as url:
        monkeypatch.setattr(hub, "download", lambda _, target, **options: REAL(url, target, **options))
        assert locate("tiny") == Located(own_cache / "sam2.1_hiera_tiny.pt", "sam2.1_hiera_tiny")
        locate("sam2.1_hiera_tiny")
    assert len(behaviour.requests) == 1
    assert hub.cached(TINY) == own_cache / "sam2.1_hiera_tiny.pt"


REAL = hub.download


def test_a_name_is_found_in_the_hugging_face_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLET_OFFLINE", "1")
    for name, repository in (
        ("model.safetensors", "facebook/sam2.1-hiera-tiny"),
        ("sam2_hiera_large.pt", "facebook/sam2-hiera-large"),
    ):
        file = in_hugging_face_cache(tmp_path / "hf", repository, name)
        known = repository.split("/")[1].replace("-", "_")
        assert locate(known) == locate(repository) == Located(file, known)


def test_the_id_of_a_named_model_is_found_in_our_own_cache(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", None)  # nobody may ask the hub
    own_cache.mkdir()
    (own_cache / TINY.file_name).touch()
    assert locate("facebook/sam2.1-hiera-tiny") == locate("tiny") == Located(own_cache / TINY.file_name, TINY.name)
    in_hugging_face_cache(tmp_path / "hf", "facebook/sam2.1-hiera-tiny", "model.safetensors")
    assert locate("facebook/sam2.1-hiera-tiny") == Located(own_cache / TINY.file_name, TINY.name)


def test_a_repository_of_someone_else_is_any_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLET_OFFLINE", "1")
    file = in_hugging_face_cache(tmp_path / "hf", "someone/sam2.1-hiera-tiny", "sam2.1_hiera_tiny.pt")
    assert locate("someone/sam2.1-hiera-tiny") == Located(file)


@pytest.mark.parametrize("source", ["sam2_hiera_small", "facebook/sam2-hiera-small", "someone/else"])
def test_offline_and_not_cached(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLET_OFFLINE", "1")
    with pytest.raises(
        DownloadError, match=r"is not in the cache.*the network is off \(MASKLET_OFFLINE is set\)"
    ) as error:
        locate(source)
    assert str(tmp_path) in str(error.value)


def test_a_broken_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "shipped_file", lambda model: tmp_path / model.file_name)
    with pytest.raises(FileNotFoundError, match=r"weights of nano are missing from this installation"):
        locate("nano")
    assert {row.entry.name: row.state for row in available()}["nano"] == "missing"
    (tmp_path / "nano.safetensors").touch()
    assert locate("nano") == Located(tmp_path / "nano.safetensors", "nano")


def test_what_is_available(own_cache: Path):
    own_cache.mkdir()
    (own_cache / "sam2_hiera_large.pt").touch()
    rows = {row.entry.name: row for row in available()}
    assert next(iter(rows)) == "nano"
    assert set(rows) == set(REGISTRY)
    assert (rows["sam2_hiera_large"].state, rows["sam2_hiera_large"].path) == (
        "cached",
        own_cache / "sam2_hiera_large.pt",
    )
    assert (rows["sam2_hiera_tiny"].state, rows["sam2_hiera_tiny"].path) == ("to download", None)


@contextmanager
def hugging_face(repositories: dict[str, dict[str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A server with the answers of the Hugging Face hub to requests for files; also yields what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization')}")
            repository, _, rest = self.path.strip("/").partition("/resolve/")
            files = repositories.get(repository)
            content = None if files is None else files.get(rest.partition("/")[2])
            self.send_response(200 if content is not None else 404)
            if content is None:
                self.send_header("X-Error-Code", "RepoNotFound" if files is None else "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", '"abc"')
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if self.command == "GET" and content:
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # wait for them at the end
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_hub_and_its_variables(tmp_path: Path):
    """In a process of its own: huggingface_hub reads its variables when it is imported."""
    code = """
import json, sys
from masklet.checkpoints.hub import locate
out = []
for source in sys.argv[1:]:
    try:
        found = locate(source)
        out.append([str(found.path), found.name, found.path.read_text()])
    except OSError as error:
        out.append([type(error).__name__, str(error)])
print(json.dumps(out))
"""
    repositories = {
        "facebook/sam2.1-hiera-tiny": {"model.safetensors": b"theirs", "sam2.1_hiera_tiny.pt": b"official"},
        "someone/my-sam2": {"my_sam2.pt": b"mine"},
        "someone/text": {"README.md": b"no weights"},
    }
    home = tmp_path / "home"

    def run(endpoint: str, *sources: str, **more: str) -> list[list[str | None]]:
        kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        environment = {**kept, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_TOKEN": "hf_secret", **more}
        done = subprocess.run([sys.executable, "-c", code, *sources], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with hugging_face(repositories) as (endpoint, asked):
        tiny, mine, text, none = run(endpoint, *repositories, "someone/none")
    assert tiny[1:] == ["sam2.1_hiera_tiny", "theirs"]
    assert Path(str(tiny[0])).is_relative_to(home)
    assert mine[1:] == [None, "mine"]
    assert text[0] == "DownloadError"
    assert "without any of model.safetensors, text.safetensors, text.pt" in str(text[1])
    assert none[0] == "DownloadError"
    assert "someone/none: no such Hugging Face repository" in str(none[1])
    assert any(line.startswith("GET") for line in asked)
    assert all(line.endswith("Bearer hf_secret") for line in asked if line.startswith("HEAD"))
    # The server has gone: what was fetched stays usable, with and without the offline variable.
    assert run(endpoint, "facebook/sam2.1-hiera-tiny", HF_HUB_OFFLINE="1") == [tiny]
    assert run(endpoint, "someone/my-sam2", HF_HUB_OFFLINE="1") == [mine]
    (again,) = run(endpoint, "facebook/sam2.1-hiera-tiny")
    assert again == tiny


def test_a_network_that_is_down_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The hub's client waits long for a network; with four names to try, it must not wait four times."""
    tried: list[tuple[str, bool]] = []

    def down(repository: str, name: str, local_files_only: bool) -> str:
        tried.append((name, local_files_only))
        if name == "my_sam2.pt" and local_files_only:
            return str(tmp_path / name)
        raise LocalEntryNotFoundError("no network and not cached")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", down)
    assert locate("someone/my-sam2") == Located(tmp_path / "my_sam2.pt")
    assert [local for _, local in tried] == [False, True, True, True]
    with pytest.raises(DownloadError, match=r"other: model.safetensors is not in the cache .* cannot be reached"):
        locate("someone/other")
