from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_work import FRAMES, HEIGHT, WIDTH, mask, masks, project
from masklet.data_engine.errors import Refused
from masklet.data_engine.objects import add_object, remove_object
from masklet.data_engine.stored_masks import (
    StoredMask,
    annotated,
    masks_of,
    newest_masklets,
    overlap,
    store_masklet,
)
from masklet.masks.rle import decode


def test_masks_come_back_as_they_were(database):
    project(database)
    given = [mask(0, 10), mask(1, 0), mask(2, WIDTH, prompted=True)]
    with database.begin() as db:
        made = add_object(db, 1, None)
        masklet = store_masklet(db, made.id, given[::-1])
        assert masks_of(db, masklet.id) == given
        assert decode({"size": [HEIGHT, WIDTH], "counts": masks_of(db, masklet.id)[0].counts}).sum() == 10 * HEIGHT
        assert [m.frame for m in masks_of(db, masklet.id, 1)] == [1, 2]
        assert [m.frame for m in masks_of(db, masklet.id, 1, 1)] == [1]
        assert [m.frame for m in masks_of(db, masklet.id, count=1)] == [0]
        # 0.9 twice, and 1 where the model is sure that nothing is there.
        assert masklet.quality == pytest.approx((0.9 + 0.9 + 1) / 3)
        assert masklet.frames == 3


def test_an_empty_masklet_is_one(database):
    project(database)
    with database.begin() as db:
        masklet = store_masklet(db, add_object(db, 1, None).id, [])
        assert (masklet.frames, masklet.quality, masks_of(db, masklet.id)) == (0, 0.0, [])


@pytest.mark.parametrize("frames", [(0, 0), (-1,), (FRAMES,)])
def test_frames_that_are_not_there(database, frames):
    project(database)
    with database.begin() as db:
        made = add_object(db, 1, None)
        with pytest.raises(Refused, match="expected each once"):
            store_masklet(db, made.id, masks(*frames))


def test_annotated_frames():
    given = [mask(frame, prompted=frame == 5) for frame in range(8)]
    assert [m.frame for m in annotated(given, 3)] == [0, 3, 5, 6]
    assert annotated(given, 1) == given


def test_the_newest_counts(database):
    project(database)
    with database.begin() as db:
        one, two = (add_object(db, 1, None) for _ in range(2))
        store_masklet(db, one.id, masks(0))
        last = store_masklet(db, one.id, masks(0))
        store_masklet(db, two.id, masks(0))
        assert newest_masklets(db, 1)[1] is last
        assert newest_masklets(db, 1, session_id=1) == {}
        remove_object(db, two.id)
        assert [*newest_masklets(db, 1)] == [1]


def test_overlap():
    size = HEIGHT, WIDTH
    assert overlap(mask(0, 20), mask(0, 30), size) == pytest.approx(2 / 3)
    assert overlap(mask(0, 20), mask(0, 20), size) == 1
    assert overlap(mask(0, 0), mask(0, 0), size) == 1
    assert overlap(mask(0, 0), mask(0, 20), size) == overlap(mask(0, 20), mask(0, 0), size) == 0


@given(st.floats(0, 1), st.floats(allow_nan=False))
def test_certainty(iou, presence):
    value = StoredMask(0, b"", 0, iou, presence, 1.0, False).certainty
    assert 0 <= value <= 1
    if abs(presence) < 30:
        there = 1 / (1 + math.exp(-presence))
        assert value == pytest.approx(iou * there if presence > 0 else 1 - there, abs=1e-9)
