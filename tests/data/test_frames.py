from __future__ import annotations

from uuid import uuid4

import cv2
import numpy as np
import pytest
from made_sets import FRAMES, SIZE, picture, put, put_movie, put_picture

from masklet.data.frames import MovieFrames, folder_frames, single_frame
from masklet.data.paths import data_path


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    folder_frames(tmp_path / "nothing")
    MovieFrames(tmp_path / "nothing.mp4")


def test_a_folder(tmp_path):
    for index in (10, 9):
        put_picture(tmp_path / f"{index}.jpg", index=index)
    (tmp_path / "notes.txt").touch()
    frames = folder_frames(tmp_path)
    assert (frames.count(), frames.size()) == (2, SIZE)
    assert frames.file(0) == str(tmp_path / "9.jpg")
    with pytest.raises(FileNotFoundError, match="expected images"):
        folder_frames(tmp_path / "other").count()


def test_the_size_of_a_picture_that_exif_turns_is_the_upright_one(tmp_path):
    from PIL import Image

    image = Image.fromarray(picture(0))
    exif = image.getexif()
    exif[274] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    frames = single_frame(tmp_path / "a.jpg")
    assert frames.size() == SIZE[::-1]
    assert frames.image(0).shape[:2] == SIZE[::-1]


def test_the_size_is_found_behind_a_long_header(tmp_path):
    data = cv2.imencode(".jpg", picture(0))[1].tobytes()
    padding = b"\xff\xe2\xff\xff" + bytes(0xFFFD)
    put(tmp_path / "a.jpg", data[:2] + 2 * padding + data[2:])
    assert single_frame(tmp_path / "a.jpg").size() == SIZE


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_movie(tmp_path, kind):
    root = tmp_path if kind == "local" else data_path(f"memory://{uuid4().hex}")
    frames = MovieFrames(put_movie(root / "a.mp4"))
    assert (frames.count(), frames.size()) == (FRAMES, SIZE)
    for index in (0, 7, 2, 3, 8):
        assert np.abs(frames.image(index).astype(int) - picture(index)).mean() < 6
    assert frames.file(3) == frames.where


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_what_is_no_movie(tmp_path, kind):
    root = tmp_path if kind == "local" else data_path(f"memory://{uuid4().hex}")
    with pytest.raises(FileNotFoundError, match=r"expected the movie .*a\.mp4"):
        MovieFrames(root / "a.mp4").count()
    with pytest.raises(ValueError, match=r"a\.mp4 cannot be opened as a movie"):
        MovieFrames(put(root / "a.mp4", b"no movie at all" * 100)).size()
    with pytest.raises(ValueError, match=r"a\.mp4 is empty"):
        MovieFrames(put(root / "a.mp4", b"")).size()
