from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from masklet.structures import FrameFeatures, MemoryEntry, Prompts, Selection


def test_features_of_chosen_images():
    features = FrameFeatures(*(torch.arange(3.0).reshape(3, 1, 1, 1) + k for k in (0, 10, 20)))
    taken = features.take(torch.tensor([2, 0, 0]))
    assert [m.flatten().tolist() for m in (taken.embedding, taken.skip8, taken.skip4)] == [
        [2, 0, 0],
        [12, 10, 10],
        [22, 20, 20],
    ]


def test_prompts_count_their_points():
    assert Prompts().count == 0
    assert Prompts(torch.zeros(5, 3, 2), torch.zeros(5, 3, dtype=torch.long)).count == 3


def test_a_selection_is_told_by_its_slots_and_offsets():
    one, two = (MemoryEntry(torch.ones(1, 2, 1, 1) * i, torch.ones(1, 2) * i) for i in (1, 2))
    assert Selection().empty
    assert not Selection(pointers=((1, one),)).empty
    assert Selection(((-1, one), (0, two)), ((3, one),)).signature == ((-1, 0), (3,))
    assert Selection(((-1, one),)).signature == Selection(((-1, two),)).signature
    assert Selection(((-1, one),)).signature != Selection(((0, one),)).signature


def test_values_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Prompts().points = torch.zeros(1, 1, 2)  # pyright: ignore[reportAttributeAccessIssue]
