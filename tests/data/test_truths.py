from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_sets import SIZE, labels, mask, put, put_binary, put_labels

from masklet.data.truths import LabelMaps, ObjectMasks, draw_rle, from_png, from_rle, read_labels
from masklet.masks import rle


def maps(path, **options):
    return LabelMaps(path, lambda: {0: path}, **options)


def test_label_maps(tmp_path):
    truth = maps(put_labels(tmp_path / "a.png", labels(4)))
    assert truth.annotated() == (0,)
    assert truth.objects(0) == (1, 2)
    assert list(truth.masks(0, [2])) == [2]
    np.testing.assert_array_equal(truth.masks(0, [2])[2], mask(4, 2))
    assert list(maps(tmp_path / "a.png", merged=True).masks(0, [1])) == [1]
    assert truth.file(0) == str(tmp_path / "a.png")


def test_a_map_of_0_and_255_is_one_object(tmp_path):
    assert maps(put_binary(tmp_path / "a.png", mask(4, 1))).objects(0) == (1,)


def test_ids_above_255_are_an_error_that_says_so(tmp_path):
    wide = labels(4).astype(np.uint16) * 300
    put(tmp_path / "a.png", cv2.imencode(".png", wide)[1].tobytes())
    with pytest.raises(ValueError, match=r"a\.png has object ids up to 600, expected at most 255"):
        read_labels(tmp_path / "a.png")


def test_16_bit_maps_with_small_ids_are_fine(tmp_path):
    put(tmp_path / "a.png", cv2.imencode(".png", labels(4).astype(np.uint16) * 100)[1].tobytes())
    assert maps(tmp_path / "a.png").objects(0) == (100, 200)


def test_only_wanted_masks_are_drawn(tmp_path):
    def fail():
        raise ValueError("the file is damaged")

    truth = ObjectMasks(tmp_path, lambda: {4: {-3: from_rle(rle.encode(mask(4, 1))), 10**12: fail}})
    assert truth.annotated() == (4,)
    assert truth.objects(4) == (-3, 10**12)
    np.testing.assert_array_equal(truth.masks(4, [-3])[-3], mask(4, 1))
    with pytest.raises(ValueError, match="object 1000000000000 of frame 4: the file is damaged"):
        truth.masks(4, [10**12])
    assert truth.unknown(4) == frozenset()


@pytest.mark.parametrize(
    "code", [None, 3, {"size": 3, "counts": ""}, {"size": [2, 2], "counts": [None]}, {"size": [2, 2]}]
)
def test_what_is_no_encoded_mask(code):
    with pytest.raises(ValueError, match=r"mask|size"):
        draw_rle(code)


def test_a_png_of_one_object_may_hold_any_number(tmp_path):
    np.testing.assert_array_equal(from_png(put_labels(tmp_path / "a.png", 7 * mask(4, 1)))(), mask(4, 1))
    assert from_png(put_binary(tmp_path / "b.png", np.zeros(SIZE)))().sum() == 0
