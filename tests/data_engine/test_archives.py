from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from masklet.data_engine.archives import ArchiveLimits, unzip, zip_folder


def _archive(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return path


def test_there_and_back(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "0.jpg").write_bytes(b"\xff\xd8picture")
    (tmp_path / "in" / "list.txt").write_text("walk\n")
    told: list[float] = []
    zip_folder(tmp_path / "in", tmp_path / "out.zip", told.append)
    unzip(tmp_path / "out.zip", tmp_path / "back")
    assert (tmp_path / "back" / "a" / "0.jpg").read_bytes() == b"\xff\xd8picture"
    assert (tmp_path / "back" / "list.txt").read_text() == "walk\n"
    assert told == [0.5, 1.0]


def test_nothing_is_left_of_an_archive_that_is_cancelled(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")

    def cancel(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zip_folder(tmp_path / "in", tmp_path / "out.zip", cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "a\\outside", "C:/outside"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ValueError, match="expected files in folders of its own"):
        unzip(tmp_path / "bad.zip", tmp_path / "back" / "inner")
    assert not list(tmp_path.rglob("*outside*"))


def test_links_are_refused(tmp_path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ValueError, match="expected files"):
        unzip(tmp_path / "bad.zip", tmp_path / "back")


def test_bombs_are_refused(tmp_path):
    path = _archive(tmp_path / "bomb.zip", zeros=b"\0" * 1_000_000)
    with pytest.raises(ValueError, match="unpacks to more than 500,000 bytes"):
        unzip(path, tmp_path / "back", ArchiveLimits(size=500_000))
    path = _archive(tmp_path / "many.zip", a=b"", b=b"", c=b"")
    with pytest.raises(ValueError, match="holds 3 files, expected at most 2"):
        unzip(path, tmp_path / "back", ArchiveLimits(files=2))


def test_a_size_that_lies_is_not_believed(tmp_path):
    path = _archive(tmp_path / "liar.zip", zeros=b"\0" * 100_000)
    data = path.read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(ValueError, match="whole and not encrypted"):
        unzip(path, tmp_path / "back", ArchiveLimits(size=1000))
    assert sum(one.stat().st_size for one in tmp_path.glob("back/*")) <= 10


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_damaged_archives_are_refused(tmp_path, cut):
    path = _archive(tmp_path / "cut.zip", a__b=b"some text " * 50)
    path.write_bytes(path.read_bytes()[: cut or 1])
    with pytest.raises(ValueError, match="whole and not encrypted"):
        unzip(path, tmp_path / "back")


def test_two_files_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", b"2")
    with pytest.raises(ValueError, match="two files of one name"):
        unzip(tmp_path / "twice.zip", tmp_path / "back")
