from __future__ import annotations

import pytest
from made_sets import assert_scene, put_folders

from masklet.data.mose import open_mose
from masklet.data.open import open_dataset


def test_train_and_valid(tmp_path):
    put_folders(tmp_path / "train", "0a1b")
    put_folders(tmp_path / "valid", "9f9f", known=(0,))
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names) == ("mose", ("0a1b",))
    assert_scene(dataset[0])
    valid = open_dataset(tmp_path, split="valid")[0]
    assert (valid.name, valid.annotated) == ("9f9f", (0,))


def test_every_frame_of_train_has_a_mask(tmp_path):
    put_folders(tmp_path / "train", "0a1b", known=(0, 1))
    with pytest.raises(FileNotFoundError, match=r"00002\.png"):
        open_mose(tmp_path)[0].masks(2)
