from __future__ import annotations

import pickle

import numpy as np
import pytest
from made_sets import SIZE, mask, put, put_json, put_picture

from masklet.data.coco import open_coco
from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations
from masklet.masks import rle

SQUARE = [14.0, 4, 26, 4, 26, 14, 14, 14]  # object 1 of frame 4


def content(**changes):
    runs = rle.encode(mask(4, 2))
    plain = {"size": [2, 2], "counts": [4]}
    return {
        "images": [
            {"id": 7, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]},
            {"id": 8, "file_name": "b.jpg", "height": SIZE[0], "width": SIZE[1]},
        ],
        "annotations": [
            {"id": 900_000_000_001, "image_id": 7, "segmentation": [SQUARE], "iscrowd": 0},
            {"id": 2, "image_id": 7, "segmentation": runs},
            {"id": 3, "image_id": 7, "segmentation": plain, "iscrowd": 1},
            {"id": 4, "image_id": 7, "segmentation": []},
        ],
        **changes,
    }


def write(root, images="val2017"):
    for name in "ab":
        put_picture(root / images / f"{name}.jpg", index=4)
    return put_json(root / "annotations" / "instances_val2017.json", content())


@pytest.mark.parametrize("images", ["val2017", "images/val2017", "images", "annotations", "."])
def test_polygons_and_run_lengths(tmp_path, images):
    write(tmp_path, images)
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names, dataset.stills) == ("coco", ("a.jpg", "b.jpg"), True)
    image = pickle.loads(pickle.dumps(dataset))[0]
    masks = image.masks(0)
    assert list(masks) == [2, 900_000_000_001]
    np.testing.assert_array_equal(masks[900_000_000_001], mask(4, 1))
    np.testing.assert_array_equal(masks[2], mask(4, 2))
    assert image.image(0).shape == (*SIZE, 3)
    assert dataset[1].annotated == (0,)
    assert dataset[1].masks(0) == {}


def test_the_file_is_chosen_by_the_split(tmp_path):
    file = write(tmp_path)
    put_json(tmp_path / "annotations" / "instances_train2017.json", content(images=content()["images"][:1]))
    with pytest.raises(ValueError, match=r"instances_train2017\.json.*--split"):
        open_coco(tmp_path)
    assert len(open_coco(tmp_path, "train2017")) == 1
    assert len(open_dataset(file)) == 2
    with pytest.raises(FileNotFoundError, match="test2017"):
        open_coco(tmp_path, "test2017")
    put_json(tmp_path / "test" / "_annotations.coco.json", content())
    put_picture(tmp_path / "test" / "a.jpg")
    assert open_coco(tmp_path, "test")[0].size == SIZE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 7}]}, "images and annotations"),
        ({"annotations": [{"id": 1, "image_id": 5}]}, "annotation 1 is of image 5"),
        ({"images": [], "annotations": []}, "no images"),
    ],
)
def test_broken_annotations_are_named(tmp_path, change, message):
    file = put_json(tmp_path / "instances.json", content(**change))
    with pytest.raises(BrokenAnnotations, match=rf"instances\.json.*{message}"):
        open_coco(file)


def test_text_that_is_no_json(tmp_path):
    with pytest.raises(BrokenAnnotations, match="JSON"):
        open_coco(put(tmp_path / "instances.json", '{"images": ['))


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("shape", [[3.0, 4.0], [[1, 2, 3, 4]], {"size": 5, "counts": "1"}, {"counts": "1"}])
def test_a_damaged_outline_is_an_error_when_it_is_drawn(tmp_path, shape):
    file = put_json(tmp_path / "instances.json", content(annotations=[{"id": 1, "image_id": 7, "segmentation": shape}]))
    put_picture(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="object 1 of frame 0"):
        open_coco(file)[0].masks(0)
