from __future__ import annotations

import numpy as np
import pytest
from made_sets import FRAMES, SIZE, assert_scene, labels, mask, put, put_binary, put_labels, put_picture

from masklet.data.davis import open_davis
from masklet.data.open import open_dataset


def write(root, resolution="480p", names=("bear", "cows")):
    for name in names:
        for index in range(FRAMES):
            put_picture(root / "JPEGImages" / resolution / name / f"{index:05d}.jpg", index=index)
            put_labels(root / "Annotations" / resolution / name / f"{index:05d}.png", labels(index))
    put(root / "ImageSets" / "2017" / "val.txt", "cows\n")
    put(root / "ImageSets" / "2017" / "test-dev.txt", "bear\n")


def test_a_split_of_2017(tmp_path):
    write(tmp_path)
    dataset = open_dataset(tmp_path, split="val")
    assert (dataset.format, dataset.names, len(dataset), dataset.stills) == ("davis", ("cows",), 1, False)
    video = dataset[0]
    assert (video.name, video.frame_count, video.size, video.annotated) == ("cows", FRAMES, SIZE, tuple(range(FRAMES)))
    assert_scene(video)
    assert video.first_frames() == {1: 0, 2: 3}
    assert video.unknown(0) == frozenset()


def test_without_a_split_every_folder_is_a_sequence(tmp_path):
    write(tmp_path, "Full-Resolution")
    assert open_davis(tmp_path).names == ("bear", "cows")
    assert_scene(open_davis(tmp_path)[-1])


def test_2016_has_one_object_and_lists_pairs_of_files(tmp_path):
    write(tmp_path)
    lines = [f"/JPEGImages/480p/bear/{i:05d}.jpg /Annotations/480p/bear/{i:05d}.png" for i in range(FRAMES)]
    put(tmp_path / "ImageSets" / "480p" / "val.txt", "\n".join(lines))
    put_binary(tmp_path / "Annotations" / "480p" / "bear" / "00000.png", mask(0, 1))
    dataset = open_davis(tmp_path, "2016/val")
    assert dataset.names == ("bear",)
    masks = dataset[0].masks(4)
    assert list(masks) == [1]
    np.testing.assert_array_equal(masks[1], labels(4) > 0)
    np.testing.assert_array_equal(dataset[0].masks(0)[1], mask(0, 1))


def test_a_map_that_is_missing_is_an_error_when_it_is_read(tmp_path):
    write(tmp_path)
    (tmp_path / "Annotations" / "480p" / "cows" / "00004.png").unlink()
    video = open_davis(tmp_path, "val")[0]
    assert video.annotated == tuple(range(FRAMES))
    with pytest.raises(FileNotFoundError, match=r"00004\.png"):
        video.masks(4)


def test_test_dev_has_first_frames_only(tmp_path):
    write(tmp_path)
    for index in range(1, FRAMES):
        (tmp_path / "Annotations" / "480p" / "bear" / f"{index:05d}.png").unlink()
    video = open_davis(tmp_path, "test-dev")[0]
    assert video.annotated == (0,)
    with pytest.raises(KeyError, match="frame 1 of bear is not annotated: take one of 0"):
        video.masks(1)


def test_mistakes_are_named(tmp_path):
    write(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"'train'.*found 2017/test-dev, 2017/val"):
        open_davis(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="480p, Full-Resolution"):
        open_davis(tmp_path / "ImageSets")
