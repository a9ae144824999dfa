from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from masklet.data.masklet_file import MaskletFile, read_masklets
from masklet.data.masklet_review import duplicates, review, review_sheet
from masklet.masks.rle import encode
from masklet_scenes import DOUBLE, FRAMES, GROUND, SHORT, SQUARE, masks, pictures, write_masklets


@pytest.fixture
def file(tmp_path: Path) -> MaskletFile:
    return read_masklets(write_masklets(tmp_path))


def test_the_best_first_then_duplicates_and_background(file: MaskletFile):
    reviewed = review(file, FRAMES, pictures().__getitem__)
    assert [one.quality.object_id for one in reviewed] == [SQUARE, SHORT, GROUND, DOUBLE]
    assert [one.kept for one in reviewed] == [True, True, False, False]
    assert [one.duplicate_of for one in reviewed] == [None, None, None, SQUARE]
    assert [one.background for one in reviewed] == [False, False, True, False]  # what is short and still is small
    plain = reviewed[-1].plain()
    assert (plain["id"], plain["duplicate_of"], plain["background"]) == (DOUBLE, SQUARE, False)
    assert plain["score"] == pytest.approx(0.7 ** (1 / 3), abs=0.02)


def test_without_pictures_nothing_is_said_of_background(file: MaskletFile):
    reviewed = review(file)
    assert {one.background for one in reviewed} == {None}
    assert [one.quality.object_id for one in reviewed] == [SQUARE, GROUND, SHORT, DOUBLE]


def test_two_that_meet_for_a_while_are_no_duplicates():
    one, other = (encode(masks(t)[SQUARE]) for t in (0, 8))
    ground = encode(masks(0)[GROUND])
    assert duplicates({5: {0: one, 4: one, 8: one, 12: one}, 7: {0: one, 4: other, 8: other, 12: other}}) == {}
    assert duplicates({5: {0: one, 4: ground, 8: ground}, 7: {0: one, 4: other, 8: other, 12: other}}) == {}
    assert duplicates({5: {0: one, 4: one, 8: one}, 7: {4: one}}) == {7: 5}
    assert duplicates({5: {0: one}, 7: {4: one}}) == {}  # never together


def test_the_sheet_shows_each_masklet(file: MaskletFile):
    reviewed, made = review(file), pictures()
    sheet = review_sheet(file, reviewed, made.__getitem__)
    pink = (sheet[..., 0] > sheet[..., 1].astype(int) + 60).any(1)
    assert sheet.shape[1] == 3 * 244 - 4
    assert len(sheet) == 4 * (18 + 135 + 4)
    assert [bool(part.any()) for part in np.split(pink, 4)] == [True] * 4
