from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_source import STAGE, TOY, Discs, toy

from masklet.training.overlays import sample_sheet
from tiny_model import SMALL_NANO, tiny_model


def test_a_sheet_shows_images_and_clips():
    model = tiny_model(SMALL_NANO)
    sheet = sample_sheet(TOY, model)
    assert sheet.shape == (3 * 64, 4 * 64, 3)  # a row of four images, two clips of three frames
    assert (sheet[64:, 3 * 64 :] == 0).all()
    assert (sheet == 255).all(-1).sum() > 100  # outlines of the truth
    assert np.array_equal(sheet, sample_sheet(TOY, model))
    assert not model.training


@pytest.mark.parametrize(("kind", "clips", "height"), [("image", 0.0, 64), ("clip", 1.0, 128)])
def test_a_sheet_of_one_kind(kind: str, clips: float, height: int):
    recipe = toy(sources=(Discs(kind),), stages=(replace(STAGE, clips=clips),))
    assert len(sample_sheet(recipe, tiny_model(SMALL_NANO))) == height
