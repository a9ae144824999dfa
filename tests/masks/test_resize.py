from __future__ import annotations

import numpy as np
import pytest
import torch

from masklet.masks.resize import resize_binary_mask, resize_logits


def test_logits_keep_the_centres_of_pixels():
    ramp = torch.arange(8.0)[None, None, None].expand(1, 1, 4, 8)
    wide = resize_logits(ramp, (4, 16))
    assert wide[0, 0, 0, 1:15].tolist() == [0.25 + 0.5 * k for k in range(14)]
    assert wide[0, 0, 0, [0, 15]].tolist() == [0.0, 7.0]


def test_logits_become_float32():
    assert resize_logits(torch.zeros(1, 2, 4, 4, dtype=torch.float16), (8, 6)).dtype == torch.float32
    same = torch.randn(1, 1, 4, 5)
    assert resize_logits(same, (4, 5)) is same


def test_constant_logits_of_absent_objects_stay_constant():
    resized = resize_logits(torch.full((1, 1, 16, 16), -1024.0), (37, 53))
    assert (resized + 1024).abs().max() < 1e-3


def test_masks_shrink_by_the_share_of_each_block():
    mask = np.zeros((64, 64), dtype=bool)
    mask[:, :33] = True
    small = resize_binary_mask(mask, (8, 8))
    assert small[:, :4].all()
    assert not small[:, 5:].any()
    thin = np.zeros((64, 64), dtype=bool)
    thin[:, 31] = True
    assert not resize_binary_mask(thin, (8, 8)).any(), "one column of eight is less than half: antialiasing is off"


def test_masks_grow_and_keep_their_area():
    yy, xx = np.mgrid[:50, :50]
    disk = (yy - 25) ** 2 + (xx - 20) ** 2 < 150
    large = resize_binary_mask(disk, (200, 100))
    assert large.shape == (200, 100)
    assert large.dtype == bool
    assert large.sum() == pytest.approx(disk.sum() * 8, rel=0.02)
    np.testing.assert_array_equal(resize_binary_mask(disk, (50, 50)), disk)
    assert resize_binary_mask(np.ones((1, 1), dtype=bool), (3, 4)).all()


@pytest.mark.usefixtures("as_user")
def test_wrong_shapes():
    for shape, size in [((0, 4), (2, 2)), ((4, 4, 1), (2, 2)), ((4, 4), (0, 2))]:
        with pytest.raises(ValueError, match="Cannot resize"):
            resize_binary_mask(np.zeros(shape, dtype=bool), size)
