from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from masklet.data.masklet_file import read_masklets
from masklet.data.masklet_quality import consistency, measure
from masklet.masks.rle import Rle, encode
from masklet_scenes import GROUND, SHORT, SQUARE, write_masklets


def square(x: int, y: int, side: int) -> Rle:
    mask = np.zeros((40, 60), bool)
    mask[y : y + side, x : x + side] = True
    return encode(mask)


def test_measures(tmp_path: Path):
    found = {one.object_id: one for one in measure(read_masklets(write_masklets(tmp_path)))}
    one, ground, short = found[SQUARE], found[GROUND], found[SHORT]
    assert (one.first, one.last, one.visible, one.presence, one.edge) == (0, 8, 3, 1, 0)
    assert one.stability == pytest.approx(0.95)
    assert one.consistency == 1
    assert one.area == pytest.approx(24 * 24 / (72 * 128))
    assert one.score == pytest.approx(0.95 ** (1 / 3))
    assert ground.edge == 1
    assert (short.visible, short.presence) == (1, pytest.approx(1 / 3))
    assert short.stability == pytest.approx(0.9)  # of the frame on which it is visible
    assert short.score < ground.score < one.score


def test_without_stability_the_others_count(tmp_path: Path):
    found = measure(read_masklets(write_masklets(tmp_path, stability=False)))
    assert found[0].stability is None
    assert found[0].score == 1
    assert found[-1].score == pytest.approx((1 / 3) ** 0.5)


def test_a_shape_that_only_moves_is_consistent():
    assert consistency({0: square(0, 0, 8), 4: square(30, 20, 8), 8: square(52, 32, 8)}) == 1
    grown = consistency({0: square(0, 0, 8), 4: square(30, 20, 12)})
    assert grown == pytest.approx(64 / 144, abs=0.02)
    assert consistency({0: square(0, 0, 8)}) == 1
