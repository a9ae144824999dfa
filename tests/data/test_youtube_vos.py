from __future__ import annotations

import numpy as np
import pytest
from made_sets import FRAMES, assert_scene, labels, mask, put, put_folders, put_json, put_labels, put_picture

from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations
from masklet.data.youtube_vos import open_youtube_vos


def meta(name, late="00015"):
    things = {"1": {"category": "cat", "frames": ["00000", "00005"]}, "2": {"category": "dog", "frames": [late]}}
    return {"videos": {name: {"objects": things}}}


def write_valid(root):
    put_folders(root / "valid", "b2", step=5, known=(0,))
    put_labels(root / "valid" / "Annotations" / "b2" / "00015.png", labels(3) * mask(3, 2))
    put_json(root / "valid" / "meta.json", meta("b2"))


def test_train(tmp_path):
    put_folders(tmp_path / "train", "a1", step=5)
    put_json(tmp_path / "train" / "meta.json", meta("a1"))
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names) == ("youtube_vos", ("a1",))
    assert_scene(dataset[0])
    assert dataset[0].unknown(6) == frozenset()


def test_objects_that_appear_later(tmp_path):
    write_valid(tmp_path)
    video = open_dataset(tmp_path)[0]
    assert video.annotated == (0, 3)
    assert list(video.masks(3)) == [2]
    np.testing.assert_array_equal(video.masks(3)[2], mask(3, 2))
    assert video.unknown(0) == frozenset()
    assert video.unknown(3) == {1}
    assert video.first_frames() == {1: 0, 2: 3}


def test_a_label_before_the_first_frame_of_its_object_does_not_count(tmp_path):
    put_folders(tmp_path / "train", "a1", step=5)
    put_json(tmp_path / "train" / "meta.json", meta("a1", late="00020"))
    video = open_youtube_vos(tmp_path)[0]
    assert list(video.masks(3)) == [1]
    assert list(video.masks(4)) == [1, 2]


def test_all_frames(tmp_path):
    write_valid(tmp_path)
    for number in range(5 * FRAMES):
        put_picture(tmp_path / "all_frames/valid_all_frames/JPEGImages/b2" / f"{number:05d}.jpg", index=number // 5)
    video = open_youtube_vos(tmp_path, "valid_all_frames")[0]
    assert video.frame_count == 5 * FRAMES
    assert video.annotated == (0, 15)
    put_folders(tmp_path / "train", "a1")
    with pytest.raises(FileNotFoundError, match="all frames of train"):
        open_youtube_vos(tmp_path, "train_all_frames")


def test_mistakes_are_named(tmp_path):
    write_valid(tmp_path)
    put_json(tmp_path / "valid" / "meta.json", meta("b2", late="00099"))
    with pytest.raises(ValueError, match="object 2 is said to appear in frame 00099"):
        open_youtube_vos(tmp_path)[0].masks(0)
    put_json(tmp_path / "valid" / "meta.json", {"videos": {"b2": {}}})
    with pytest.raises(BrokenAnnotations, match=r"meta\.json.*objects"):
        open_youtube_vos(tmp_path)
    put(tmp_path / "valid" / "meta.json", "{")
    with pytest.raises(BrokenAnnotations, match=r"meta\.json.*JSON"):
        open_youtube_vos(tmp_path)
