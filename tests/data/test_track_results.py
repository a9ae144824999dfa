from __future__ import annotations

import numpy as np
import pytest
from made_sets import FRAMES, SIZE, labels, mask, put, put_json, put_labels

from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations
from masklet.video.annotation_json import CocoRleJsonWriter
from masklet.video.writer import MaskPngWriter, ObjectPngWriter


@pytest.mark.parametrize(
    ("writer", "place"),
    [(MaskPngWriter, "masks"), (ObjectPngWriter, "objects"), (CocoRleJsonWriter, "masks.coco.json")],
)
def test_what_track_writes_is_read(writer, place, tmp_path):
    root = tmp_path / "clip" / place
    with writer(root, SIZE) as file:
        for index in range(2, FRAMES):
            file.add(index, {number: mask(index, number) for number in (1, 2)})
    dataset = open_dataset(root)
    assert (dataset.format, dataset.names) == ("track_results", ("clip",))
    (video,) = dataset
    assert (video.size, video.frame_count, video.annotated) == (SIZE, FRAMES, tuple(range(2, FRAMES)))
    for index in video.annotated:
        for number, found in video.masks(index).items():
            np.testing.assert_array_equal(found, mask(index, number))
    assert video.masks(6).keys() == {1}


def test_mistakes_are_named(tmp_path):
    put_labels(tmp_path / "a" / "first.png", labels(0))
    with pytest.raises(BrokenAnnotations, match=r"first\.png: expected masks named by frame numbers"):
        open_dataset(tmp_path / "a", "track_results")[0]
    with pytest.raises(FileNotFoundError, match="expected masks"):
        open_dataset(put(tmp_path / "b" / "x.txt", "").parent, "track_results")[0]
    with pytest.raises(BrokenAnnotations, match=r"expected size and frames"):
        open_dataset(put_json(tmp_path / "masks.coco.json", {"size": [3, 4]}))[0]
