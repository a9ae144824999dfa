"""Readers of the still sets: splits, regions and which of them may move."""

from __future__ import annotations

import numpy as np
import pytest
from mini_sets import bsds_map, camvid_map, ccp_map

from masklet.data.stills import StillStore, dev_stills, train_stills


def regions(still):
    """The mask of every region of a still."""
    store = StillStore([still])
    parts = store.parts(still)
    return [np.isin(parts[r.map], r.ids).astype(np.uint8) for r in store.regions(still)]


def _of(root, name):
    return next(still for still in train_stills(root) if still.set == name)


def test_splits_are_disjoint_and_complete(mini_root):
    train, dev = train_stills(mini_root), dev_stills(mini_root)
    assert [s.name for s in train] == ["11", "12", "21", "0001", "0002", "a_1", "a_2"]
    assert [s.name for s in dev] == ["31", "0900"]
    assert not {s.image for s in train} & {s.image for s in dev}


def test_shared_splits_are_disjoint(shared_root):
    train, dev = train_stills(shared_root), dev_stills(shared_root)
    assert len(train) > 1500
    assert len(dev) == 200
    assert not {s.image for s in train} & {s.image for s in dev}
    assert not {m for s in train for m in s.maps} & {m for s in dev for m in s.maps}
    assert not any("test" in s.image.parts for s in train)


def test_bsds_regions_come_from_every_annotator(mini_root):
    still = _of(mini_root, "bsds500")
    masks = regions(still)
    assert len(masks) == 6
    labels = bsds_map()
    for mask, wanted in zip(masks, [labels == 1, labels == 2, labels == 3] * 2, strict=True):
        np.testing.assert_array_equal(mask, wanted)
    # Sky and ground touch the border; the disc does not, and both annotators drew it.
    assert [r.movable for r in StillStore([still]).regions(still)] == [False, False, True] * 2


def test_ccp_gives_parts_unions_and_the_person(mini_root):
    still = _of(mini_root, "ccp")
    labels = ccp_map()
    found = {mask.tobytes() for mask in regions(still)}
    worn = np.isin(labels, (7, 13))
    body = np.isin(labels, (19, 41))
    boot = (labels == 7) & (np.arange(84) < 40)
    for wanted in (labels > 0, labels == 7, boot, labels == 13, worn, body, worn | body, labels == 2):
        assert wanted.astype(np.uint8).tobytes() in found
    person = [r for r in StillStore([still]).regions(still) if r.label == "person"]
    assert len(person) == 1
    assert person[0].movable
    assert person[0].area == np.count_nonzero(labels)


def test_camvid_components_without_specks(mini_root):
    still = _of(mini_root, "camvid")
    labels = camvid_map()
    found = StillStore([still]).regions(still)
    assert sorted(r.area for r in found) == sorted([600, 875, 5400 - 600 - 875, 5400 - 9])
    assert sorted(r.area for r in found if r.movable) == [600, 875]
    assert all((labels[mask > 0] != 7).all() for mask in regions(still))


def test_memory_limit_drops_maps_and_reads_them_again(mini_root):
    stills = train_stills(mini_root)
    store = StillStore(stills, memory=1)
    first = store.parts(stills[0])[0].copy()
    for still in stills:
        store.parts(still)
    assert len(store._parts) == 1
    np.testing.assert_array_equal(store.parts(stills[0])[0], first)


def test_photos_are_rgb(tmp_path):
    import cv2

    from masklet.data.stills import Still

    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((8, 8, 3), (0, 0, 255), np.uint8))
    still = Still("a", "ccp", tmp_path / "a.jpg", ())
    assert StillStore([still]).image(still)[4, 4, 0] > 200


def test_missing_files_are_named(mini_root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"splits\.json"):
        train_stills(tmp_path)
    (tmp_path / "splits.json").write_text('{"images": {"ccp": {"train": ["7"]}}}')
    with pytest.raises(FileNotFoundError, match="7"):
        train_stills(tmp_path)
