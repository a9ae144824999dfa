from __future__ import annotations

import os
from pathlib import Path

import pytest

from masklet.cli.output_folder import check_folder, make_output, refuse_overwriting, remove_files


def test_what_can_be_written_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    check_folder(tmp_path)
    check_folder(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path)
    for path in (Path("out"), Path("a/b"), Path(".")):
        check_folder(path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(NotADirectoryError, match="Cannot write into a file: choose another -o") as caught:
            check_folder(path)
        assert caught.value.filename == str(tmp_path / "file")
    with pytest.raises(OSError, match=r"Cannot make the folder \(.*\): choose another -o") as caught:
        make_output(tmp_path / "file" / "out")
    assert caught.value.filename == str(tmp_path / "file" / "out")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="choose another -o") as caught:
        check_folder(tmp_path / "new")
    assert caught.value.filename == str(tmp_path)


def test_an_input_is_known_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    photo = tmp_path / "photo.png"
    photo.touch()
    (tmp_path / "other.png").touch()
    (tmp_path / "link.png").symlink_to(photo)
    monkeypatch.chdir(tmp_path)
    absent = tmp_path / "absent.png"
    refuse_overwriting([photo, absent], [tmp_path / "other.png", absent])
    for name in (photo, Path("photo.png"), Path("../" + tmp_path.name + "/photo.png"), Path("link.png")):
        with pytest.raises(ValueError, match=rf"would overwrite the input .*{name.name}; choose another -o"):
            refuse_overwriting([name], [tmp_path / "other.png", photo])


def test_folders_go_with_their_last_file(tmp_path: Path):
    paths = [tmp_path / "a" / "b" / "1", tmp_path / "a" / "c" / "2", tmp_path / "d" / "3"]
    keep = tmp_path / "a" / "c" / "4"
    for path in [*paths, keep]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    remove_files(paths, tmp_path)
    assert sorted(p for p in tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "c", keep]
    remove_files(paths, tmp_path)
    remove_files([keep], tmp_path)
    assert tmp_path.exists()
    assert list(tmp_path.iterdir()) == []
