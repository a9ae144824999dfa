"""The script of the fine-tuning example: how it splits a folder of images and black and white masks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.data.open import open_dataset


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 5:15], mask[20:40, 30:60], mask[0, 59] = 255, 255, 255
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for name in "abc":
            cv2.imwrite(str(tmp_path / part / f"{name}.png"), mask)
    return tmp_path


def test_white_parts_are_objects_the_largest_first(script, cells: Path):
    labels = script.label_map(cv2.imread(str(cells / "masks" / "a.png"), cv2.IMREAD_GRAYSCALE))
    assert np.bincount(labels.ravel()).tolist() == [2400 - 700, 600, 100]  # the single pixel is none
    assert labels[30, 40] == 1


def test_both_parts_are_data_sets(script, cells: Path):
    assert script.write_split(cells / "images", cells / "masks", cells / "out", 2) == (4, 2)
    for part, names in (("train", ("a", "b")), ("held_back", ("c",))):
        dataset = open_dataset(str(cells / "out" / part))
        assert dataset.stills
        assert dataset.names == names
        assert set(dataset[0].masks(0)) == {1, 2}


def test_too_few_images_and_missing_masks(script, cells: Path):
    with pytest.raises(SystemExit, match="expected more than the 3 to train on"):
        script.write_split(cells / "images", cells / "masks", cells / "out", 3)
    (cells / "masks" / "b.png").unlink()
    with pytest.raises(SystemExit, match=r"b\.png cannot be read: each image needs its mask"):
        script.write_split(cells / "images", cells / "masks", cells / "out", 2)
