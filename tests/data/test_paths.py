from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import pytest

from masklet.data.paths import (
    BrokenAnnotations,
    DataPath,
    data_path,
    entries,
    files_in,
    folders_in,
    read_json,
    read_lines,
)


def test_local_paths_need_no_other_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "upath", None)
    assert data_path(str(tmp_path)) == tmp_path
    assert data_path(tmp_path) is tmp_path
    assert data_path("~/a") == Path.home() / "a"
    with pytest.raises(ImportError, match=r"masklet\[train\]"):
        data_path("memory://a")


def test_object_storage():
    root = data_path(f"memory://{uuid4().hex}")
    assert isinstance(root, DataPath)
    assert data_path(root) is root
    (root / "b" / "10.jpg").parent.mkdir(parents=True)
    for name in ("10.jpg", "9.jpg", ".hidden.jpg", "a.txt"):
        (root / "b" / name).write_bytes(b"x")
    assert [path.name for path in files_in(root / "b", {".jpg"})] == ["9.jpg", "10.jpg"]
    assert [path.name for path in folders_in(root)] == ["b"]


def test_kinds_of_storage_without_a_driver_are_named():
    with pytest.raises((ImportError, ValueError), match="nowhere"):
        data_path("nowhere://a")


def test_missing_folders(tmp_path):
    assert files_in(tmp_path / "a", {".jpg"}) == []
    assert folders_in(tmp_path / "a") == []
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        entries(tmp_path / "a")


def test_files_that_cannot_be_parsed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf a \r\n\n b")
    assert read_lines(path) == ["a", "b"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BrokenAnnotations, match="UTF-8"):
        read_lines(path)
    for text in ("{", "[" * 100_000, "\x00"):
        path.write_text(text)
        with pytest.raises(BrokenAnnotations, match=r"a\.txt.*JSON"):
            read_json(path)
