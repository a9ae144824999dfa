from __future__ import annotations

import numpy as np
import pytest
from made_sets import SIZE, mask, put, put_picture

from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations
from masklet.data.yolo_seg import open_yolo_seg

H, W = SIZE


def line(points, kind=0):
    return " ".join([str(kind), *(f"{x / W:.6f} {y / H:.6f}" for x, y in points)])


ONE = line([(14, 4), (26, 4), (26, 14), (14, 14)])  # object 1 of frame 4
BOX = "3 0.5 0.5 0.2 0.2"
TWO = line([(20, 18), (40, 18), (40, 30), (20, 30)], 5)


def write(root, split="train", name="a", text=f"{ONE}\n{BOX}\n{TWO}\n"):
    put_picture(root / "images" / split / f"{name}.jpg", index=4)
    put(root / "labels" / split / f"{name}.txt", text)


def test_polygons_are_objects_and_boxes_are_not(tmp_path):
    write(tmp_path)
    put(tmp_path / "data.yaml", "path: ../nowhere\ntrain: images/train\nval: images/val\nnames: {0: cat}\n")
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names, dataset.stills) == ("yolo_seg", ("a",), True)
    masks = dataset[0].masks(0)
    assert list(masks) == [1, 3]
    np.testing.assert_array_equal(masks[1], mask(4, 1))
    np.testing.assert_array_equal(masks[3], mask(4, 2))
    assert open_dataset(tmp_path / "data.yaml").names == ("a",)


def test_splits(tmp_path):
    write(tmp_path, "train", "a")
    write(tmp_path, "val", "b")
    put(tmp_path / "test.txt", "./images/val/b.jpg\n")
    assert open_yolo_seg(tmp_path).names == ("a", "b")
    assert open_yolo_seg(tmp_path, "val").names == ("b",)
    put(tmp_path / "data.yaml", "train: [images/train, images/val]\ntest: test.txt\n")
    assert open_yolo_seg(tmp_path).names == ("a", "b")
    assert list(open_yolo_seg(tmp_path, "test")[0].masks(0)) == [1, 3]
    with pytest.raises(FileNotFoundError, match="other"):
        open_yolo_seg(tmp_path, "other")


def test_folders_of_splits_that_hold_images_and_labels(tmp_path):
    put_picture(tmp_path / "train" / "images" / "a.jpg", index=4)
    put(tmp_path / "train" / "labels" / "a.txt", ONE)
    put(tmp_path / "data.yaml", "train: ../train/images\n")
    assert list(open_dataset(tmp_path)[0].masks(0)) == [1]
    assert open_yolo_seg(tmp_path, "train").names == ("a",)


def test_no_text_is_no_annotation_and_an_empty_one_is_no_object(tmp_path):
    write(tmp_path)
    put_picture(tmp_path / "images" / "train" / "b.jpg")
    write(tmp_path, name="c", text="")
    _, without, empty = open_yolo_seg(tmp_path)
    assert without.annotated == ()
    assert empty.annotated == (0,)
    assert empty.masks(0) == {}


def test_mistakes_are_named(tmp_path):
    write(tmp_path, text=f"{ONE}\n0 0.1 cat\n")
    with pytest.raises(BrokenAnnotations, match=r"a\.txt: line 2 is '0 0\.1 cat'"):
        _ = open_yolo_seg(tmp_path)[0].annotated
    write(tmp_path, text="0 0.1 0.1 0.2 0.2 0.3\n")
    with pytest.raises(ValueError, match=r"object 1 .* 5 values"):
        open_yolo_seg(tmp_path)[0].masks(0)
    put(tmp_path / "data.yaml", "- [")
    with pytest.raises(BrokenAnnotations, match="YAML"):
        open_yolo_seg(tmp_path)
    put(tmp_path / "data.yaml", "- 1")
    with pytest.raises(BrokenAnnotations, match="train and val"):
        open_yolo_seg(tmp_path)
