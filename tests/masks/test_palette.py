from __future__ import annotations

import numpy as np
import pytest

from masklet.masks.palette import davis_palette, object_colors


def test_known_colours():
    palette = davis_palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert not palette.flags.writeable
    assert palette[[0, 1, 2, 3, 4, 8, 15, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [64, 0, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]


def test_every_index_has_its_own_colour():
    assert len({tuple(color) for color in davis_palette().tolist()}) == 256


def test_objects_take_the_palette_in_turn():
    colors = object_colors([1, 2, 255, 256, 511])
    assert colors[1] == (128, 0, 0) == colors[256] == colors[511]
    assert colors[255] == (224, 224, 192)
    with pytest.raises(ValueError, match="start at 1"):
        object_colors([0])
