from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from masklet.inference.memory_key import memory_key
from masklet.structures import MemoryEntry


def entry() -> MemoryEntry:
    """Three channels of 2 x 2: each quarter of the frame points another way, the last one nowhere."""
    features = torch.zeros(1, 3, 2, 2, dtype=torch.bfloat16)
    features[0, 0, 0, 0] = features[0, 1, 0, 1] = features[0, 2, 1, 0] = 2
    return MemoryEntry(features, torch.zeros(1, 4))


def logits(rows: slice, columns: slice) -> torch.Tensor:
    made = torch.full((1, 1, 8, 8), -1.0)
    made[..., rows, columns] = 1
    return made


def test_a_key_is_of_what_lies_under_the_mask():
    assert memory_key(entry(), logits(slice(4), slice(4))).tolist() == [1, 0, 0]
    assert memory_key(entry(), logits(slice(4, 8), slice(2))).tolist() == [0, 0, 1]
    partly = memory_key(entry(), logits(slice(4), slice(3, 8)))  # a quarter of one cell, the whole of the next
    assert partly.tolist() == pytest.approx([1 / 17**0.5, 4 / 17**0.5, 0], abs=1e-3)
    assert partly.dtype == np.float16


def test_without_a_mask_it_is_of_the_whole_frame():
    assert memory_key(entry(), logits(slice(0), slice(0))).tolist() == pytest.approx([3**-0.5] * 3, abs=1e-3)


def test_a_dropped_map_has_no_key():
    with pytest.raises(ValueError, match="map was dropped, expected a fresh one"):
        memory_key(replace(entry(), features=None), logits(slice(4), slice(4)))
