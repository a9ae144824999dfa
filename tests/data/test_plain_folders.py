from __future__ import annotations

import numpy as np
import pytest
from made_sets import FRAMES, assert_scene, labels, mask, picture, put_binary, put_labels, put_movie, put_picture

from masklet.data.open import open_dataset
from masklet.data.plain_folders import open_plain_folders


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_images_and_label_maps(tmp_path, suffix):
    put_picture(tmp_path / "images" / f"a{suffix}", index=4)
    put_picture(tmp_path / "images" / f"b{suffix}", index=4)
    put_labels(tmp_path / "masks" / "a.png", labels(4))
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names, dataset.stills) == ("plain_folders", ("a", "b"), True)
    assert_scene(dataset[0], [4])
    assert dataset[1].annotated == ()


def test_one_mask_an_object(tmp_path):
    for name in ("a", "b_1", "c"):
        put_picture(tmp_path / "images" / f"{name}.jpg", index=4)
    put_binary(tmp_path / "masks" / "a_1.png", mask(4, 1))
    put_binary(tmp_path / "masks" / "a_2.png", mask(4, 2))
    put_labels(tmp_path / "masks" / "b_1.png", labels(4))
    put_binary(tmp_path / "masks" / "c" / "cat.png", mask(4, 1))
    put_binary(tmp_path / "masks" / "c" / "dog.png", mask(4, 2))
    for image in open_dataset(tmp_path):
        assert_scene(image, [4])
    for name in ("cat", "dog"):
        (tmp_path / "masks" / "c" / f"{name}.png").rename(tmp_path / "masks" / "c" / f"{len(name) + ord(name[0])}.png")
    assert open_dataset(tmp_path)[2].objects(0) == (102, 103)


def test_folders_of_videos(mini_root):
    dataset = open_dataset(mini_root, "plain_folders", "train")
    assert dataset.names == ("sparse", "walk")
    assert [video.frame_count for video in dataset] == [9, 6]
    assert dataset[0].annotated == (2, 6)
    assert int(dataset[0].masks(2)[1].sum()) == 30 * 25
    assert open_dataset(mini_root / "videos" / "dev").names == ("d",)
    assert open_dataset(mini_root / "videos" / "dev" / "d").names == ("d",)


def test_a_video_with_a_folder_for_each_object(tmp_path):
    for index in range(FRAMES):
        put_picture(tmp_path / "v" / "frames" / f"{index}.jpg", index=index)
        for object_id in (1, 2):
            put_binary(tmp_path / "v" / "masks" / str(object_id) / f"{index}.png", mask(index, object_id))
    assert_scene(open_dataset(tmp_path)[0])


@pytest.mark.parametrize("folder", ["masks/walk", "walk"])
def test_movies(tmp_path, folder):
    put_movie(tmp_path / "walk.mp4")
    for index in (0, 4):
        put_labels(tmp_path / folder / f"{index:05d}.png", labels(index))
    for dataset in (open_dataset(tmp_path), open_dataset(tmp_path / "walk.mp4")):
        assert (dataset.names, dataset.stills) == (("walk",), False)
        assert dataset[0].annotated == (0, 4)
        assert_scene(dataset[0])
    put_labels(tmp_path / folder / "first.png", labels(0))
    with pytest.raises(ValueError, match=r"frame numbers .* got first\.png"):
        _ = open_dataset(tmp_path)[0].annotated


def test_pairs(tmp_path):
    for name in ("a", "b"):
        put_picture(tmp_path / f"{name}.jpg", index=4)
    put_labels(tmp_path / "a.png", labels(4))
    put_picture(tmp_path / "c.png", np.asarray(picture(0)))
    dataset = open_dataset(tmp_path)
    assert dataset.names == ("a", "b")
    assert_scene(dataset[0], [4])


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="found none of them"):
        open_plain_folders(tmp_path)
    with pytest.raises(FileNotFoundError, match="found neither"):
        open_plain_folders(tmp_path, "train")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(FileNotFoundError, match="expected images"):
        open_plain_folders(tmp_path)
