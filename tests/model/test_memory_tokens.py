from __future__ import annotations

from dataclasses import replace

import torch

from masklet.model.memory_bank import PROMPTED_SLOT
from masklet.structures import FrameFeatures, MemoryEntry, Selection
from tiny_model import SMALL_NANO, tiny_model


def selection(prompted: int) -> Selection:
    """So many times the same prompted frame, a recent one, and the pointers of both."""
    torch.manual_seed(1)
    first, last = (
        MemoryEntry(torch.randn(2, SMALL_NANO.memory_width, 4, 4), torch.randn(2, SMALL_NANO.width)) for _ in range(2)
    )
    maps = ((PROMPTED_SLOT, first),) * prompted + ((0, last),)
    return Selection(maps, ((3, first), (1, last)), 15)


def conditioned(weight: float, prompted: int) -> torch.Tensor:
    torch.manual_seed(0)
    model = tiny_model(replace(SMALL_NANO, prompted_weight=weight))
    embedding = torch.randn(1, SMALL_NANO.width, 4, 4)
    features = FrameFeatures(embedding, torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 16, 16))
    with torch.no_grad():
        return model.condition(features, selection(prompted))


def test_a_prompted_map_that_counts_three_times_is_one_that_is_there_three_times():
    thrice = conditioned(1.0, prompted=3)
    torch.testing.assert_close(conditioned(3.0, prompted=1), thrice, atol=1e-5, rtol=1e-5)
    assert (conditioned(1.0, prompted=1) - thrice).abs().max() > 1e-3


def test_weight_one_adds_nothing_to_the_scores():
    assert tiny_model(replace(SMALL_NANO, prompted_weight=1.0)).memory_tokens(selection(1)).bias is None
