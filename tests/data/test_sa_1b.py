from __future__ import annotations

import numpy as np
import pytest
from made_sets import SIZE, mask, put_json, put_picture

from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations
from masklet.data.sa_1b import open_sa_1b
from masklet.masks import rle


def annotation(number, made, **more):
    return {"id": number, "segmentation": rle.encode(made), "area": int(made.sum()), **more}


def write(folder, annotations):
    put_picture(folder / "sa_223750.jpg", index=4)
    put_json(folder / "sa_223750.json", {"image": {"image_id": 223750}, "annotations": annotations})


def test_masks_keep_their_ids_and_backgrounds_are_left_out(tmp_path):
    nearly = np.ones(SIZE, bool)
    nearly[:2] = False  # 93.75 %
    most = np.ones(SIZE, bool)
    most[:4] = False  # 87.5 %
    found = [annotation(532_891_904, mask(4, 1)), annotation(2, nearly), annotation(3, most)]
    del found[1]["area"]
    write(tmp_path / "sa_000020", found)
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names, dataset.stills) == ("sa_1b", ("sa_223750",), True)
    image = dataset[0]
    assert (image.frame_count, image.size, image.annotated) == (1, SIZE, (0,))
    masks = image.masks(0)
    assert list(masks) == [3, 532_891_904]
    np.testing.assert_array_equal(masks[532_891_904], mask(4, 1))
    assert open_sa_1b(tmp_path, "sa_000020").names == dataset.names


def test_only_wanted_masks_are_decoded(tmp_path):
    damaged = {"id": 9, "segmentation": {"size": [*SIZE], "counts": "1"}}
    write(tmp_path, [annotation(1, mask(4, 1)), damaged])
    image = open_dataset(tmp_path)[0]
    assert image.objects(0) == (1, 9)
    assert list(image.masks(0, {1})) == [1]
    with pytest.raises(ValueError, match="object 9 of frame 0: The runs of an encoded mask cover"):
        image.masks(0)


def test_broken_annotations_are_named(tmp_path):
    write(tmp_path, [annotation(1, mask(4, 1)), annotation(1, mask(4, 2))])
    with pytest.raises(BrokenAnnotations, match=r"sa_223750\.json: two masks of one image have the id 1"):
        _ = open_sa_1b(tmp_path)[0].annotated
    write(tmp_path, [{"id": 1}])
    with pytest.raises(BrokenAnnotations, match="id and segmentation"):
        _ = open_sa_1b(tmp_path)[0].annotated
    (tmp_path / "sa_223750.json").unlink()
    with pytest.raises(FileNotFoundError):
        _ = open_sa_1b(tmp_path)[0].annotated
    with pytest.raises(FileNotFoundError, match=r"sa_1\.jpg"):
        open_sa_1b(tmp_path, "sa_000001")
