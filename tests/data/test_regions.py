"""The development images and what is to be found in them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from made_sets import labels, mask, put_json, put_labels, put_picture

from masklet.data.open import open_dataset
from masklet.data.regions import bsds_dev_regions, ccp_dev_regions, first_frame_regions
from masklet.masks import rle
from masklet.masks.label_png import read_label_png

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data")


@needs_data
def test_bsds_regions_are_large_ones_of_the_first_annotator():
    dropped = 0
    for sample in itertools.islice(bsds_dev_regions(DATA), 6):
        name = sample.name.split("/")[1]
        labels = read_label_png(DATA / "images" / "bsds500" / "test" / "labels" / f"{name}_a0.png")
        truth = [labels == v for v in np.unique(labels)]
        large = [t for t in truth if t.mean() >= 0.005]
        dropped += len(truth) - len(large)
        assert len(sample.masks) == min(8, len(large))
        assert all(any((found == t).all() for t in large) for found in sample.masks)
        assert len({mask.tobytes() for mask in sample.masks}) == len(sample.masks)
    assert dropped > 0


@needs_data
def test_the_sample_is_always_the_same():
    first, again = (next(iter(bsds_dev_regions(DATA, limit=3))) for _ in range(2))
    assert first.masks.shape[0] == 3
    assert (first.masks == again.masks).all()


@needs_data
def test_ccp_gives_the_person_first_and_only_held_out_images():
    held_out = json.loads((DATA / "splits.json").read_text())["images"]["ccp"]["dev"]
    for sample in itertools.islice(ccp_dev_regions(DATA), 5):
        assert sample.name.split("/")[1] in held_out
        person, *parts = sample.masks
        assert 1 <= len(parts) <= 4
        assert all(part.sum() < person.sum() for part in parts)
        assert all((part & ~person).sum() == 0 for part in parts)
        labels = read_label_png(DATA / "images" / "ccp" / "labels" / f"{sample.name.split('/')[1]}.png")
        assert all(len(np.unique(labels[part])) == 1 for part in parts)
        assert person.sum() > 0.98 * (labels != 0).sum()


def test_first_frames_hold_every_object_seen_there(tmp_path):
    for name, first in (("a", 0), ("b", 3), ("empty", 9)):
        for index in range(5):
            put_picture(tmp_path / name / "frames" / f"{index}.jpg", index=index)
            put_labels(tmp_path / name / "masks" / f"{index}.png", labels(index) * np.uint8(index >= first))
    one, two = first_frame_regions(open_dataset(tmp_path))
    assert (one.name, two.name) == ("a", "b")
    assert (one.masks == (labels(0) == 1)).all()
    assert two.masks.shape == (2, 32, 48)
    assert (np.tensordot(np.arange(1, 3), two.masks, 1) == labels(3)).all()
    assert (two.image == open_dataset(tmp_path)[1].image(3)).all()


def test_small_objects_can_be_left_out_and_many_sampled(tmp_path):
    made = np.zeros((32, 48), np.uint8)
    for object_id in range(1, 7):
        made[: 2 * object_id, 8 * (object_id - 1) : 8 * object_id] = object_id
    put_picture(tmp_path / "images" / "a.jpg", np.zeros((32, 48, 3), np.uint8))
    put_labels(tmp_path / "masks" / "a.png", made)
    dataset = open_dataset(tmp_path)
    (all_of_them,) = first_frame_regions(dataset)
    assert len(all_of_them.masks) == 6
    (large,) = first_frame_regions(dataset, smallest=8 * 8 / made.size)
    assert [mask.sum() for mask in large.masks] == [64, 80, 96]
    (some,) = first_frame_regions(dataset, limit=4)
    sizes = [mask.sum() for mask in some.masks]
    assert len(sizes) == 4
    assert sizes == sorted(set(sizes))
    (again,) = first_frame_regions(dataset, limit=4)
    assert (again.masks == some.masks).all()
    assert list(first_frame_regions(dataset, smallest=0.5)) == []


@pytest.mark.parametrize("kind", ["coco", "sa_1b"])
def test_stored_masks_of_image_sets(tmp_path, kind):
    masks = [mask(4, 1), mask(4, 2), np.zeros((32, 48), bool)]
    codes = [{"id": 7 + i, "image_id": 1, "segmentation": rle.encode(one)} for i, one in enumerate(masks)]
    if kind == "coco":
        put_picture(tmp_path / "images" / "a.jpg", index=4)
        known = [{"id": 1, "file_name": "a.jpg", "height": 32, "width": 48}]
        put_json(tmp_path / "annotations" / "instances.json", {"images": known, "annotations": codes})
    else:
        put_picture(tmp_path / "sa_1.jpg", index=4)
        put_json(tmp_path / "sa_1.json", {"image": {}, "annotations": codes})
    dataset = open_dataset(tmp_path)
    assert dataset.format == kind
    (sample,) = first_frame_regions(dataset)
    assert (sample.masks == masks[:2]).all()
    assert sample.image.shape == (32, 48, 3)


def test_images_are_videos_of_one_frame(tmp_path):
    for name in ("a", "b"):
        put_picture(tmp_path / "images" / f"{name}.jpg", index=4)
    put_labels(tmp_path / "masks" / "b.png", labels(4))
    (sample,) = first_frame_regions(open_dataset(tmp_path))
    assert sample.name == "b"
    assert len(sample.masks) == 2
