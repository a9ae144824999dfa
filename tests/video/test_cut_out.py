from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.video.cut_out import CutOutPngWriter, cut_out
from masklet.video.mask_files import is_written_mask

SIZE = (60, 90)


def square(x: int, side: int = 12) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[20 : 20 + side, x : x + side] = True
    return mask


def picture(t: int = 0) -> np.ndarray:
    return np.random.default_rng(t).integers(1, 256, (*SIZE, 3), np.uint8)


def test_alpha_is_straight_and_the_picture_goes_on_around_it():
    frame, mask = picture(), square(30)
    pixels = cut_out(frame, mask)
    assert np.array_equal(pixels[..., 3], mask * np.uint8(255))
    near = np.zeros(SIZE, bool)
    near[4:48, 14:58] = True  # 16 pixels around
    assert np.array_equal(pixels[near][:, :3], frame[near])
    assert not pixels[~near].any()
    assert not cut_out(frame, np.zeros(SIZE, bool)).any()


def test_sequences_have_a_file_for_every_frame_and_object(tmp_path: Path):
    masks = {4: {1: square(10)}, 5: {1: square(14), 12: square(40)}, 3: {12: square(44)}}  # 3 comes last: backward
    with (
        CutOutPngWriter(tmp_path / "rgba", SIZE) as colours,
        CutOutPngWriter(tmp_path / "matte", SIZE, matte=True) as mattes,
    ):
        for t, given in masks.items():
            colours.add(t, given, frame=picture(t))
            mattes.add(t, given)
    for i in (1, 12):
        for kind in ("rgba", "matte"):
            folder = tmp_path / kind / f"{i:03d}"
            assert sorted(os.listdir(folder)) == ["00003.png", "00004.png", "00005.png"]
            assert all(is_written_mask(path) for path in folder.iterdir())
        for t, given in masks.items():
            mask = given.get(i, np.zeros(SIZE, bool))
            matte = cv2.imread(str(tmp_path / "matte" / f"{i:03d}" / f"{t:05d}.png"), cv2.IMREAD_UNCHANGED)
            assert matte.dtype == np.uint8
            assert np.array_equal(matte, mask * np.uint8(255))
            read = cv2.imread(str(tmp_path / "rgba" / f"{i:03d}" / f"{t:05d}.png"), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(read[..., [2, 1, 0, 3]], cut_out(picture(t), mask))


@pytest.mark.usefixtures("as_user")
def test_wrong_input(tmp_path: Path):
    writer = CutOutPngWriter(tmp_path, SIZE)
    with pytest.raises(ValueError, match=r"frame=source\.frame"):
        writer.add(0, {1: square(3)})
    with pytest.raises(ValueError, match=r"Frame 0 has shape \(50, 90, 3\)"):
        writer.add(0, {1: square(3)}, frame=picture()[:50])
    with pytest.raises(ValueError, match="mask of object 1 has shape"):
        writer.add(0, {1: square(3)[:50]}, frame=picture())
    with pytest.raises(ValueError, match="not negative, got -1"):
        writer.add(0, {-1: square(3)}, frame=picture())
    assert os.listdir(tmp_path) == []
