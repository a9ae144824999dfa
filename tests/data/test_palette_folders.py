from __future__ import annotations

import pickle

import pytest
from made_sets import FRAMES, SIZE, assert_scene, labels, mask, put_binary, put_folders, put_labels, put_picture

from masklet.data.frames import folder_frames
from masklet.data.palette_folders import PaletteFolders, maps_of, names_in, object_maps_of, split_folder


def test_masks_belong_to_frames_of_the_same_name(tmp_path):
    put_folders(tmp_path, "a", step=5, known=(0, 4))
    video = PaletteFolders(tmp_path / "JPEGImages", tmp_path / "Annotations").video("a")
    assert video.annotated == (0, 4)
    assert_scene(video)


def test_a_stray_mask_is_named(tmp_path):
    put_folders(tmp_path, "a")
    put_labels(tmp_path / "Annotations" / "a" / "00100.png", labels(0))
    frames = folder_frames(tmp_path / "JPEGImages" / "a")
    with pytest.raises(ValueError, match=r"1 masks without a frame .* such as 00100\.png"):
        maps_of(frames, tmp_path / "Annotations" / "a")


def test_objects_of_earlier_maps_are_unknown_where_a_map_shows_new_ones_only(tmp_path):
    put_folders(tmp_path, "a", known=())
    put_labels(tmp_path / "Annotations" / "a" / "00000.png", labels(0))
    put_labels(tmp_path / "Annotations" / "a" / "00004.png", labels(4) * mask(4, 2))
    folders = PaletteFolders(tmp_path / "JPEGImages", tmp_path / "Annotations", first_only=True)
    video = folders.video("a")
    assert [video.unknown(frame) for frame in video.annotated] == [frozenset(), {1}]
    assert video.first_frames() == {1: 0, 2: 4}


def test_a_folder_for_each_object(tmp_path):
    for index in range(FRAMES):
        put_picture(tmp_path / "frames" / f"{index}.jpg", index=index)
    put_binary(tmp_path / "masks" / "007" / "2.png", mask(2, 1))
    put_binary(tmp_path / "masks" / "300" / "2.png", mask(3, 2))
    found = object_maps_of(folder_frames(tmp_path / "frames"), tmp_path / "masks")
    assert {frame: sorted(things) for frame, things in found.items()} == {2: [7, 300]}
    assert found[2][7]().shape == SIZE
    put_binary(tmp_path / "masks" / "cat" / "2.png", mask(2, 1))
    with pytest.raises(ValueError, match="got cat"):
        object_maps_of(folder_frames(tmp_path / "frames"), tmp_path / "masks")


def test_splits(tmp_path):
    with pytest.raises(FileNotFoundError, match="no split"):
        split_folder(tmp_path, None)
    (tmp_path / "valid" / "JPEGImages").mkdir(parents=True)
    assert split_folder(tmp_path, None) == (tmp_path / "valid", "valid")
    assert split_folder(tmp_path / "valid", None) == (tmp_path / "valid", "valid")
    (tmp_path / "test" / "JPEGImages").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"test, valid.*--split"):
        split_folder(tmp_path, None)
    (tmp_path / "train" / "JPEGImages").mkdir(parents=True)
    assert split_folder(tmp_path, None)[1] == "train"
    with pytest.raises(FileNotFoundError, match="other"):
        split_folder(tmp_path, "other")
    with pytest.raises(FileNotFoundError, match="a folder for each video"):
        names_in(tmp_path / "test" / "JPEGImages")


def test_a_data_set_can_be_sent_to_another_process(tmp_path):
    put_folders(tmp_path, "a.b")
    folders = PaletteFolders(tmp_path / "JPEGImages", tmp_path / "Annotations")
    dataset = folders.dataset("mose", tmp_path, names_in(folders.images))
    dataset[0].image(0)
    assert_scene(pickle.loads(pickle.dumps(dataset))[0])
