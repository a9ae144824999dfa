from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from masklet.video.atomic import make_folder, replacing, write_bytes


def write_half(target: Path, error: BaseException) -> None:
    with replacing(target) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_a_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "folder" / "a.bin"
    with replacing(target) as temporary:
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert os.listdir(target.parent) == ["a.bin"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half(target, KeyboardInterrupt())
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left.*a\.bin") as caught:
        write_half(tmp_path / "a.bin", OSError(errno.ENOSPC, "No space left on device"))
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


def test_permission_and_obstacles(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Cannot write.*file"):
        write_bytes(tmp_path / "file" / "a.bin", b"x")
    with pytest.raises(OSError, match="file/folder"):
        make_folder(tmp_path / "file" / "folder")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match=r"Cannot write.*a\.bin"):
        write_bytes(tmp_path / "a.bin", b"x")
    assert os.listdir(tmp_path) == ["file"]
