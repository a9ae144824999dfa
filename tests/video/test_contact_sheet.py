from __future__ import annotations

import numpy as np
import pytest

from masklet.video.contact_sheet import contact_sheet, scaled, spread_frames


def test_a_row_holds_its_pictures_from_left_to_right():
    red, blue = (np.full((20, 40, 3), color, np.uint8) for color in ((200, 0, 0), (0, 0, 200)))
    sheet = contact_sheet([("one", [red, blue]), ("two", [blue])], width=20)
    below = sheet[np.all(sheet == (0, 0, 200), -1).any(1)]
    assert sheet.shape == (64, 44, 3)
    assert len(below) == 20
    assert np.all(sheet[18:28, :20] == (200, 0, 0))
    assert np.all(sheet[18:28, 24:] == (0, 0, 200))
    assert np.all(sheet[50:60, :20] == (0, 0, 200))
    assert np.all(sheet[50:60, 24:] == 255)
    assert (sheet[:18] < 128).any()
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([("none", [])])


def test_frames_are_spread_evenly():
    assert spread_frames(range(0, 41, 4), 3) == [0, 20, 40]
    assert spread_frames([7, 9], 6) == [7, 9]


def test_masks_stay_masks():
    mask = np.zeros((40, 80), np.uint8)
    mask[:, 40:] = 1
    assert scaled(mask, 8).tolist() == [[0] * 4 + [1] * 4] * 4
