from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from file_server import Behaviour, serve
from masklet.checkpoints import download as module
from masklet.checkpoints.download import DownloadError, cache_folder, download, offline, offline_variable, verify

CONTENT = np.random.default_rng(0).bytes(3_500_000)
fetch = partial(download, pause=0.01, timeout=5.0)


@pytest.fixture
def server() -> Iterator[tuple[Behaviour, str]]:
    behaviour = Behaviour(CONTENT)
    with serve(behaviour) as url:
        yield behaviour, url


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "weights.pt"


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if not path.name.endswith(".lock"))


def test_a_file_arrives_whole_with_progress_and_checksum(server: tuple[Behaviour, str], target: Path):
    steps: list[tuple[int, int | None]] = []
    assert fetch(server[1], target, progress=lambda done, total: steps.append((done, total))) == target
    assert target.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert names(target) == ["weights.pt", "weights.pt.sha256"]
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (target.parent / "weights.pt.sha256").read_text() == f"{digest}  weights.pt\n"
    assert verify(target) is True


def test_a_file_that_is_there_is_not_asked_for_again(server: tuple[Behaviour, str], target: Path):
    fetch(server[1], target)
    fetch(server[1], target)
    assert len(server[0].requests) == 1


def test_damage_after_the_download_is_seen(server: tuple[Behaviour, str], target: Path):
    fetch(server[1], target)
    target.write_bytes(CONTENT[:-1] + b"?")
    assert verify(target) is False
    (target.parent / "weights.pt.sha256").unlink()
    assert verify(target) is None


def test_a_broken_connection_is_continued_within_one_call(server: tuple[Behaviour, str], target: Path):
    server[0].break_after = [1_200_000, 300_000]
    fetch(server[1], target)
    assert target.read_bytes() == CONTENT
    assert [request.get("Range") for request in server[0].requests] == [None, "bytes=1200000-", "bytes=1500000-"]
    assert server[0].requests[1]["If-Range"] == '"one"'


def test_an_interrupted_download_is_continued_by_the_next_call(server: tuple[Behaviour, str], target: Path):
    def interrupt(done: int, total: int | None) -> None:
        if done > 2_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server[1], target, progress=interrupt)
    assert not target.exists()
    kept = (target.parent / "weights.pt.part").stat().st_size
    assert kept >= 2_000_000
    fetch(server[1], target)
    assert target.read_bytes() == CONTENT
    assert server[0].requests[-1]["Range"] == f"bytes={kept}-"
    assert names(target) == ["weights.pt", "weights.pt.sha256"]


def test_a_server_without_ranges_sends_it_all_again(server: tuple[Behaviour, str], target: Path):
    server[0].ranges = False
    server[0].break_after = [2_000_000]
    fetch(server[1], target)
    assert target.read_bytes() == CONTENT
    assert len(server[0].requests) == 2


def test_a_file_that_changed_meanwhile_is_not_mixed(server: tuple[Behaviour, str], target: Path):
    server[0].break_after = [2_000_000]
    with pytest.raises(DownloadError):
        fetch(server[1], target, attempts=1)
    server[0].content, server[0].tag = CONTENT[::-1], '"two"'
    fetch(server[1], target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_part_that_is_longer_than_the_file_is_dropped(server: tuple[Behaviour, str], target: Path):
    target.parent.mkdir()
    (target.parent / "weights.pt.part").write_bytes(CONTENT + b"more")
    fetch(server[1], target)
    assert target.read_bytes() == CONTENT


def test_too_few_bytes_are_an_error_and_kept(server: tuple[Behaviour, str], target: Path):
    server[0].announce = len(CONTENT) + 1000
    server[0].ranges = False
    with pytest.raises(
        DownloadError, match=r"gave up after 2 tries \(got 3500000 bytes of 3501000\); 3500000 bytes are kept"
    ):
        fetch(server[1], target, attempts=2)
    assert not target.exists()


def test_an_empty_file_is_an_error(server: tuple[Behaviour, str], target: Path):
    server[0].content = b""
    with pytest.raises(DownloadError, match=r"got 0 bytes"):
        fetch(server[1], target, attempts=1)


def test_a_size_that_is_not_announced(server: tuple[Behaviour, str], target: Path):
    server[0].chunked = True
    totals = set()
    fetch(server[1], target, progress=lambda done, total: totals.add(total))
    assert target.read_bytes() == CONTENT
    assert totals == {None}


def test_a_missing_file_is_not_asked_for_twice(server: tuple[Behaviour, str], target: Path):
    server[0].status = [404]
    with pytest.raises(DownloadError, match=r"the server answered 404 Not Found; .*put it there as") as error:
        fetch(server[1], target)
    assert str(target) in str(error.value)
    assert len(server[0].requests) == 1
    assert names(target) == []


def test_a_busy_server_is_asked_again(server: tuple[Behaviour, str], target: Path):
    server[0].status = [503, 429]
    fetch(server[1], target)
    assert target.read_bytes() == CONTENT


def test_a_login_page_is_not_taken_for_weights(server: tuple[Behaviour, str], target: Path):
    server[0].content_type = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match=r"web page"):
        fetch(server[1], target)
    assert names(target) == []


def test_no_server(target: Path):
    with serve(Behaviour()) as url:
        pass
    with pytest.raises(DownloadError, match=r"gave up after 2 tries .*check the network and any proxy"):
        fetch(url, target, attempts=2)


def test_too_little_room_is_found_before_writing(server: tuple[Behaviour, str], target: Path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DownloadError, match=r"3500000 more bytes are needed and 1 are free.*MASKLET_CACHE"):
        fetch(server[1], target)
    assert not list(target.parent.glob("*.pt*.part"))


def test_two_at_once_fetch_it_once(server: tuple[Behaviour, str], target: Path):
    threads = [threading.Thread(target=fetch, args=(server[1], target)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(server[0].requests) == 1


@pytest.mark.parametrize("name", ["MASKLET_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_says_what_is_missing_and_where_it_goes(
    name: str, server: tuple[Behaviour, str], target: Path, monkeypatch
):
    monkeypatch.setenv(name, "1")
    assert offline()
    assert offline_variable() == name
    with pytest.raises(DownloadError, match=rf"weights.pt is not in the cache and .* off \({name} is set\)") as error:
        fetch(server[1], target)
    assert str(target) in str(error.value)
    assert server[1] in str(error.value)
    assert server[0].requests == []
    monkeypatch.setenv(name, "0")
    assert not offline()


def test_the_hub_s_own_variable_counts_before_that_of_transformers(monkeypatch: pytest.MonkeyPatch):
    """As in huggingface_hub."""
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert not offline()
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    assert offline()


def test_the_usual_cache_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    set_: Callable[[str, str], None] = monkeypatch.setenv
    set_("HOME", str(tmp_path))
    set_("MASKLET_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MASKLET_CACHE")
    set_("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "masklet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "masklet"
