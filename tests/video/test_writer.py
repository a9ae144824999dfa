from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from masklet.video.mask_files import read_mask_file
from masklet.video.writer import MaskPngWriter, MaskWriter, ObjectPngWriter

SIZE = (20, 30)


@pytest.fixture
def masks() -> dict[int, np.ndarray]:
    first, second = np.zeros(SIZE, dtype=bool), np.zeros(SIZE, dtype=bool)
    first[2:10, 2:10] = True
    second[5:15, 5:25] = True
    return {7: second, 2: first}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_one_indexed_file_a_frame_and_the_lowest_id_on_top(tmp_path, masks):
    with MaskPngWriter(tmp_path / "out", SIZE) as writer:
        assert isinstance(writer, MaskWriter)
        writer.add(3, masks)
        assert files(tmp_path / "out") == ["00003.png"], "files stream, they do not wait for the end"
        writer.add(0, {})
    labels = read_mask_file(tmp_path / "out" / "00003.png")
    np.testing.assert_array_equal(labels == 2, masks[2])
    np.testing.assert_array_equal(labels == 7, masks[7] & ~masks[2])
    assert read_mask_file(tmp_path / "out" / "00000.png").tolist() == np.zeros(SIZE).tolist()


def test_one_file_an_object_keeps_overlaps(tmp_path, masks):
    with ObjectPngWriter(tmp_path, SIZE) as writer:
        writer.add(12, {**masks, 1000: masks[2]})
    assert files(tmp_path) == ["002/00012.png", "007/00012.png", "1000/00012.png"]
    for object_id, mask in masks.items():
        np.testing.assert_array_equal(read_mask_file(tmp_path / f"{object_id:03d}" / "00012.png"), mask)


@pytest.mark.parametrize("object_id", [0, -1, 256])
def test_ids_that_do_not_fit_an_indexed_file(tmp_path, masks, object_id):
    with MaskPngWriter(tmp_path, SIZE) as writer:
        with pytest.raises(ValueError, match=f"Object id {object_id} does not fit"):
            writer.add(0, {object_id: masks[2]})
        writer.add(1, masks)
    assert files(tmp_path) == ["00001.png"]


@pytest.mark.parametrize("kind", [MaskPngWriter, ObjectPngWriter])
def test_a_mask_of_another_size_writes_nothing(tmp_path, kind, masks):
    with kind(tmp_path, SIZE) as writer, pytest.raises(ValueError, match=r"object 2 has shape \(5, 5\)"):
        writer.add(0, {2: masks[2][:5, :5]})
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", [MaskPngWriter, ObjectPngWriter])
def test_a_full_disk_names_the_file_and_leaves_whole_files_only(tmp_path, kind, masks, monkeypatch):
    writer = kind(tmp_path, SIZE)
    writer.add(0, masks)
    before = files(tmp_path)
    real_open = Path.open

    def full(self: Path, mode: str = "r", *args: object, **kwargs: object) -> object:
        if "x" not in mode and "w" not in mode:
            return real_open(self, mode, *args, **kwargs)
        self.touch()  # the name is made, the content finds no room
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match=r"No space left on device.*00001\.png"):
        writer.add(1, masks)
    assert files(tmp_path) == before


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        MaskPngWriter(tmp_path / "file" / "out", SIZE)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.usefixtures("as_user")
def test_a_size_without_pixels(tmp_path):
    for size in [(0, 4), (4,)]:
        with pytest.raises(ValueError, match="height, width"):
            MaskPngWriter(tmp_path, size)
