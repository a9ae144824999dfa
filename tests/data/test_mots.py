from __future__ import annotations

import numpy as np
import pytest
from made_sets import SIZE, mask, put, put_picture

from masklet.data.mots import open_mots
from masklet.data.paths import BrokenAnnotations
from masklet.masks import rle

COUNTS = rle.encode(mask(4, 1))["counts"]


def line(frame=2, number=1005, kind=1, size=SIZE, counts=COUNTS):
    return f"{frame} {number} {kind} {size[0]} {size[1]} {counts}"


def test_a_file_without_images(tmp_path):
    (video,) = open_mots(put(tmp_path / "0007.txt", f"{line()}\n{line(number=10000, kind=10)}\n"))
    assert (video.name, video.size, video.frame_count, video.annotated) == ("0007", SIZE, 3, (0, 1, 2))
    assert video.masks(0) == {}
    assert video.masks(2).keys() == {1005}
    np.testing.assert_array_equal(video.masks(2)[1005], mask(4, 1))
    assert video.categories() == {1005: "car"}


def test_images_may_be_numbered_from_one(tmp_path):
    for index in range(1, 4):
        put_picture(tmp_path / "MOTS-02" / "img1" / f"{index:06d}.jpg", index=index)
    put(tmp_path / "gt" / "MOTS-02.txt", line(frame=3))
    (video,) = open_mots(tmp_path)
    assert video.frame_count == 3
    assert video.masks(2).keys() == {1005}
    put(tmp_path / "gt" / "MOTS-02.txt", line(frame=4))
    with pytest.raises(BrokenAnnotations, match=r"object 1005 has a mask in frame 4, which is not in .*img1"):
        open_mots(tmp_path)[0].masks(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", "line 1 is '1 2 3', expected frame, id"),
        (f"{line()}\n{line()} x", "line 2 is"),
        (line(frame=-1), "line 1 has frame -1"),
        (f"{line()}\n{line(size=(3, 4))}", "different sizes"),
    ],
)
def test_broken_lines_are_named(tmp_path, text, message):
    with pytest.raises(BrokenAnnotations, match=rf"0007\.txt: .*{message}"):
        open_mots(put(tmp_path / "0007.txt", text))[0].masks(0)


def test_damaged_masks_name_the_object(tmp_path):
    with pytest.raises(ValueError, match="object 1005 of frame 2"):
        open_mots(put(tmp_path / "0007.txt", line(counts=COUNTS[:-2])))[0].masks(2)
    with pytest.raises(BrokenAnnotations, match="two masks of one image have the id 1005"):
        open_mots(put(tmp_path / "0007.txt", f"{line()}\n{line()}"))[0].masks(2)
    with pytest.raises(FileNotFoundError, match="text files of MOTS"):
        open_mots(tmp_path / "other")
