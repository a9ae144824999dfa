"""The reader of real training clips."""

from __future__ import annotations

import numpy as np
import pytest
from made_sets import put_labels, put_picture

from masklet.data.clips import ClipStore
from masklet.data.open import open_dataset


def test_annotated_frames_are_known(mini_root):
    sparse = open_dataset(mini_root, "plain_folders", "train")[0]
    store = ClipStore([sparse])
    assert store.labels(sparse, 0) is None
    assert store.objects(sparse, 0) == {}
    assert store.objects(sparse, 2) == {1: 30 * 25 / 6000}


def test_label_maps_are_those_of_the_files_and_kept(tmp_path):
    made = np.zeros((32, 48), np.uint8)
    made[4:10, 4:10], made[20:30, 20:40] = 255, 7
    put_picture(tmp_path / "a" / "frames" / "0.jpg")
    put_labels(tmp_path / "a" / "masks" / "0.png", made)
    (clip,) = open_dataset(tmp_path)
    store = ClipStore([clip])
    assert (store.labels(clip, 0) == made).all()
    assert store.objects(clip, 0) == {7: 200 / 1536, 255: 36 / 1536}
    (tmp_path / "a" / "masks" / "0.png").unlink()
    assert (store.labels(clip, 0) == made).all()


def test_clips_without_masks_or_with_stray_ones_are_named(tmp_path):
    put_picture(tmp_path / "a" / "frames" / "0.jpg")
    with pytest.raises(ValueError, match=r"expected masks in .*a/masks, found none"):
        ClipStore(open_dataset(tmp_path))
    put_labels(tmp_path / "a" / "masks" / "3.png", np.zeros((32, 48), np.uint8))
    with pytest.raises(ValueError, match=r"without a frame .* 3\.png"):
        ClipStore(open_dataset(tmp_path))


def test_shared_train_and_dev_clips_are_disjoint(shared_root):
    train, dev = (open_dataset(shared_root, "plain_folders", split).names for split in ("train", "dev"))
    assert len(train) == 15
    assert len(dev) == 14
    assert not {*train} & {*dev}
    assert not any(name.startswith("davis16") for name in train)
