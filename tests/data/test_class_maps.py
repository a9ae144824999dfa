from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_sets import SIZE, put, put_labels, put_picture

from masklet.data.check import check_dataset
from masklet.data.class_maps import open_class_maps
from masklet.data.open import open_dataset
from masklet.data.regions import ccp_dev_regions


def classes() -> np.ndarray:
    """Two areas of class 7, one of class 9 that touches the larger of them, and a speck of class 5."""
    labels = np.zeros(SIZE, np.uint8)
    labels[2:12, 2:12] = 7
    labels[20:30, 2:22] = 7
    labels[20:30, 22:37] = 9
    labels[2:4, 40:43] = 5
    return labels


def put_map(path, labels):
    return put(path, cv2.imencode(".png", labels)[1].tobytes())


def write(root, name="a", labels=None):
    put_picture(root / "images" / f"{name}.jpg")
    return put_map(root / "labels" / f"{name}.png", classes() if labels is None else labels)


def test_connected_areas_are_objects_from_the_largest(tmp_path):
    write(tmp_path)
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names, dataset.stills) == ("class_maps", ("a",), True)
    masks = dataset[0].masks(0)
    assert {number: int(mask.sum()) for number, mask in masks.items()} == {1: 200, 2: 150, 3: 100}
    np.testing.assert_array_equal(masks[2], classes() == 9)
    assert list(check_dataset(dataset)) == []


@pytest.mark.parametrize(("kind", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_void_is_no_class_but_a_binary_map_has_one(tmp_path, kind, top):
    labels = classes().astype(kind)
    labels[0] = top
    write(tmp_path, labels=labels)
    write(tmp_path, "b", np.where(classes() == 9, top, 0).astype(kind))
    several, binary = open_class_maps(tmp_path)
    assert sorted(several.masks(0)) == [1, 2, 3]
    np.testing.assert_array_equal(binary.masks(0)[1], classes() == 9)


def test_classes_above_255(tmp_path):
    write(tmp_path, labels=classes() * np.uint16(1000))
    assert sorted(open_class_maps(tmp_path)[0].masks(0)) == [1, 2, 3]


def test_splits(tmp_path):
    write(tmp_path / "train")
    write(tmp_path / "val", "b")
    assert open_dataset(tmp_path).names == ("a",)
    assert open_dataset(tmp_path, split="val").names == ("b",)
    with pytest.raises(FileNotFoundError, match=r"no split 'test' in .* found train, val"):
        open_dataset(tmp_path, "class_maps", "test")
    inner = tmp_path / "inner"
    put_picture(inner / "images" / "val" / "c.jpg")
    put_map(inner / "labels" / "val" / "c.png", classes())
    assert open_dataset(inner).names == ("c",)


def test_text_is_of_yolo(tmp_path):
    put_picture(tmp_path / "images" / "a.jpg")
    put(tmp_path / "labels" / "a.txt", "")
    assert open_dataset(tmp_path).format == "yolo_seg"


def test_faults_are_said_once_with_their_file(tmp_path):
    write(tmp_path, "1").unlink()
    write(tmp_path, "2", classes()[:8])
    put(write(tmp_path, "3"), b"no png")
    put_map(write(tmp_path, "4"), np.zeros((*SIZE, 3), np.uint8))
    put_labels(write(tmp_path, "5"), np.zeros(SIZE, np.uint8))
    found = [(one.file.rsplit("/", 1)[-1], one.fault) for one in check_dataset(open_dataset(tmp_path))]
    assert [file for file, _ in found] == ["1.png", "2.png", "3.png", "4.png", "labels"]
    for (_, what), expected in zip(
        found, ["it is missing", "48x8 pixels", "not a PNG file", "RGB colour", "no object"], strict=True
    ):
        assert expected in what


def test_parts_are_those_that_are_scored(mini_root):
    dataset = open_dataset(mini_root / "images" / "ccp")
    (scored,) = ccp_dev_regions(mini_root, limit=100)
    ours = dataset[dataset.names.index("0900")].masks(0).values()
    person, *parts = scored.masks
    assert {mask.tobytes() for mask in parts} == {mask.tobytes() for mask in ours}
    np.testing.assert_array_equal(np.any(list(ours), axis=0), person)
