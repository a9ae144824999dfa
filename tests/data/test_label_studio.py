from __future__ import annotations

import numpy as np
import pytest
from made_sets import SIZE, mask, put_json, put_picture

from masklet.data.label_studio import open_label_studio
from masklet.data.paths import BrokenAnnotations
from masklet.masks.brush_rle import encode_brush


def region(number, value, kind="brushlabels", **changes):
    return {
        "id": number,
        "type": kind,
        "original_height": SIZE[0],
        "original_width": SIZE[1],
        "value": value,
        **changes,
    }


def brush(index, number, **changes):
    value = {"format": "rle", "rle": encode_brush(mask(index, number)), "brushlabels": ["cat"]}
    return region(f"x{number}", value, **changes)


def task(*regions, image="/data/upload/3/0a1b2c3d-a.jpg", **changes):
    return {"data": {"image": image}, "annotations": [{"result": list(regions)}], **changes}


def test_brush_and_polygons_are_numbered_and_boxes_left_out(tmp_path):
    corners = [[x / SIZE[1] * 100, y / SIZE[0] * 100] for x, y in ((20, 18), (40, 18), (40, 30), (20, 30))]
    outline = region("y", {"points": corners, "polygonlabels": ["dog"]}, "polygonlabels")
    box = region("z", {"x": 1, "y": 1, "width": 5, "height": 5}, "rectanglelabels")
    put_picture(tmp_path / "images" / "a.jpg", index=4)
    (image,) = open_label_studio(put_json(tmp_path / "a.json", [task(brush(4, 1), box, outline)]))
    assert image.image(0).shape == (*SIZE, 3)
    masks = image.masks(0)
    assert masks.keys() == {1, 2}
    for number in (1, 2):
        np.testing.assert_array_equal(masks[number], mask(4, number))
    assert image.categories() == {1: "cat", 2: "dog"}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/local-files/?d=clips/a.jpg", "clips/a.jpg"),
        ("https://host/b/a.jpg?sign=1", "b/a.jpg"),
        ("s3://bucket/b/a.jpg", "b/a.jpg"),
        ("images/a.jpg", "images/a.jpg"),
    ],
)
def test_names_of_images(address, name, tmp_path):
    assert open_label_studio(put_json(tmp_path / "a.json", [task(image=address)])).names == (name,)


def test_which_annotation_is_taken(tmp_path):
    several = [{"was_cancelled": True, "result": []}, {"result": [brush(4, 2)]}]
    guesses = {"annotations": [], "predictions": [{"result": [brush(4, 1)]}]}
    content = [
        task(annotations=several),
        task(image="b.jpg", **guesses),
        {"data": {"image": "c.jpg"}},
        task(brush(4, 1, id="object-7"), image="d.jpg"),
    ]
    images = list(open_label_studio(put_json(tmp_path / "a.json", content)))
    np.testing.assert_array_equal(images[0].masks(0)[1], mask(4, 2))
    np.testing.assert_array_equal(images[1].masks(0)[1], mask(4, 1))
    assert images[2].annotated == ()
    assert images[3].masks(0).keys() == {7}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "a list of tasks"),
        ([task(), {"annotations": []}], "task 1 is not as Label Studio"),
        ([task({"type": "brushlabels", "value": {}})], "task 0 is not"),
    ],
)
def test_broken_tasks_are_named(tmp_path, content, message):
    with pytest.raises(BrokenAnnotations, match=rf"a\.json.*{message}"):
        open_label_studio(put_json(tmp_path / "a.json", content))


def test_a_cut_mask_names_the_object(tmp_path):
    cut = region("x", {"rle": encode_brush(mask(4, 1))[:-4], "brushlabels": ["cat"]})
    (image,) = open_label_studio(put_json(tmp_path / "a.json", [task(cut)]))
    with pytest.raises(ValueError, match=r"object 1 of frame 0: .*cut off"):
        image.masks(0)
