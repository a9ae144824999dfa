from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklet.video.folder import natural_key
from masklet.video.frames import open_source
from masklet.video.reader import FrameUnreadable


def save(path: Path, level: int, size: tuple[int, int] = (6, 8)) -> None:
    assert cv2.imwrite(str(path), np.full((*size, 3), level, dtype=np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (10, 2, 1, 33):
        save(folder / f"f{number}.png", number)
    (folder / "notes.txt").write_text("not a frame")
    (folder / ".hidden.png").write_text("not a frame either")
    (folder / "masks").mkdir()
    return folder


def levels(source: object) -> list[int]:
    with open_source(source) as opened:
        return [int(image[0, 0, 0]) for image in opened]


def test_folders_and_globs_are_in_natural_order_and_lists_in_their_own(folder):
    assert (
        levels(folder) == levels(str(folder)) == levels(f"{folder}/f*") == levels(f"{folder}/*.png") == [1, 2, 10, 33]
    )
    assert levels(f"{folder}/f1*.png") == [1, 10]
    assert levels([folder / "f33.png", str(folder / "f2.png")]) == [33, 2]


def test_a_single_image_is_a_video_of_one_frame(folder):
    assert levels(folder / "f10.png") == [10]


@given(st.lists(st.integers(0, 10**30), unique=True), st.sampled_from(["", "frame", "a1_"]))
def test_numbers_are_sorted_by_value(numbers, prefix):
    names = [f"{prefix}{number}.jpg" for number in numbers]
    assert sorted(names, key=natural_key) == [f"{prefix}{number}.jpg" for number in sorted(numbers)]


@given(st.lists(st.text("aB01²٣ ._", max_size=6), max_size=6))
def test_any_names_can_be_sorted_and_the_order_is_unique(names):
    backward = list(reversed(names))
    assert sorted(backward, key=natural_key) == sorted(names, key=natural_key)


def test_frames_are_read_when_asked_for(folder):
    (folder / "f2.png").write_bytes(b"damaged")
    with open_source(folder) as source:
        with pytest.raises(FrameUnreadable, match=r"Frame 1 .*f2\.png cannot be decoded"):
            source.frame(1)
        assert source.frame(2)[0, 0, 0] == 10
        (folder / "f33.png").unlink()
        with pytest.raises(FileNotFoundError, match=r"f33\.png"):
            source.frame(3)


def test_the_first_file_of_another_size_is_named(folder):
    save(folder / "f10.png", 10, (6, 9))
    with pytest.raises(FrameUnreadable, match=r"f10\.png \(frame 2\) has 9x6 pixels.*f1\.png, has 8x6"):
        levels(folder)


def test_folders_that_hold_no_video(tmp_path, folder, monkeypatch):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no image .*: found nothing"):
        open_source(tmp_path / "empty")
    (tmp_path / "empty").rmdir()
    with pytest.raises(ValueError, match=r"holds no image .*: found frames"):
        open_source(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"No image matches .*x\*"):
        open_source(f"{folder}/x*")
    save(folder / "f2.jpg", 2)
    with pytest.raises(ValueError, match=r"same frame in several files \(f2\.jpg and f2\.png\)"):
        open_source(folder)

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PermissionError, match="No permission to list the folder"):
        open_source(folder)


def test_huge_images_are_refused_unless_allowed(folder):
    with pytest.raises(ValueError, match="limit is 47"):
        open_source(folder, max_pixels=47)
    open_source(folder, max_pixels=48)
