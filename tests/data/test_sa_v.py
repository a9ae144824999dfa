from __future__ import annotations

import numpy as np
import pytest
from made_sets import FRAMES, assert_scene, mask, picture, put, put_binary, put_json, put_movie, put_picture, sa_v_json

from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations
from masklet.data.sa_v import open_sa_v


@pytest.fixture
def train(tmp_path):
    folder = tmp_path / "sav_train" / "sav_000"
    put_movie(folder / "sav_000001.mp4")
    put_json(folder / "sav_000001_manual.json", sa_v_json([1, 2]))
    put_json(folder / "sav_000001_auto.json", sa_v_json([0]))
    return folder


def test_every_fourth_frame_of_a_movie_is_annotated(train, tmp_path):
    dataset = open_dataset(tmp_path, split="manual")
    assert (dataset.format, dataset.names) == ("sa_v", ("sav_000001",))
    video = dataset[0]
    assert (video.frame_count, video.annotated) == (FRAMES, (0, 4, 8))
    assert_scene(video)
    assert video.objects(0) == (1, 2)  # the second is stated to be absent there
    assert np.abs(video.image(7).astype(int) - picture(7)).mean() < 6


def test_automatic_masklets_have_the_ids_after_the_manual_ones(train):
    video = open_sa_v(train)[0]
    assert list(video.masks(4)) == [1, 2, 3]
    assert list(video.masks(4, {3})) == [3]
    np.testing.assert_array_equal(video.masks(4)[3], mask(4, 1))
    assert list(open_sa_v(train, "auto")[0].masks(4)) == [0]


def test_none_is_no_truth(train):
    content = sa_v_json([1, 2])
    content["masklet"][0] = None
    content["masklet"][1][1] = None
    put_json(train / "sav_000001_manual.json", content)
    video = open_sa_v(train, "manual")[0]
    assert video.annotated == (4, 8)
    assert list(video.masks(4)) == [1]
    assert video.unknown(4) == {2}
    assert video.unknown(8) == frozenset()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masklet": None}, "masklet and masklet_id"),
        ({"masklet_id": [1]}, "frame 0 has 2 masks, expected 1"),
        ({"masklet_id": [1, 1]}, "different masklet ids"),
    ],
)
def test_broken_annotations_are_named(train, change, message):
    put_json(train / "sav_000001_manual.json", {**sa_v_json([1, 2]), **change})
    with pytest.raises(BrokenAnnotations, match=rf"sav_000001_manual\.json.*{message}"):
        _ = open_sa_v(train)[0].annotated


def test_missing_annotations(train, tmp_path):
    for path in train.glob("*.json"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="found neither"):
        _ = open_sa_v(train)[0].annotated
    with pytest.raises(FileNotFoundError, match="sav_val"):
        open_sa_v(tmp_path, "val")
    with pytest.raises(FileNotFoundError, match=r"sav_000001\.mp4 \.\.\."):
        open_sa_v(tmp_path / "nothing")


def test_held_out_videos_have_a_folder_for_each_object(tmp_path):
    root = tmp_path / "sav_val"
    for index in range(FRAMES):
        put_picture(root / "JPEGImages_24fps" / "sav_7" / f"{index:05d}.jpg", index=index)
    for index in (0, 4, 8):
        put_binary(root / "Annotations_6fps" / "sav_7" / "001" / f"{index:05d}.png", mask(index, 1))
    for index in (4, 8):
        put_binary(root / "Annotations_6fps" / "sav_7" / "002" / f"{index:05d}.png", mask(index, 2))
    put(root / "sav_val.txt", "sav_7\n")
    for dataset in (open_dataset(root), open_dataset(tmp_path, split="val")):
        assert dataset.names == ("sav_7",)
        assert dataset[0].annotated == (0, 4, 8)
        assert_scene(dataset[0])
    with pytest.raises(FileNotFoundError, match=r"sav_test\.txt"):
        open_sa_v(root, "test")
