"""Objects that are fused a few at a time get the memory that all together get."""

from __future__ import annotations

import pytest
import torch

from masklet.model import memory_encoder
from masklet.model.memory_encoder import MemoryEncoder


@pytest.mark.parametrize("images", [1, 5])
def test_a_few_objects_at_a_time_give_the_same(images: int, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    encoder = MemoryEncoder(8, 4, (2, 4, 6, 8))
    embedding, mask = torch.randn(images, 8, 5, 7), 10 * torch.randn(5, 1, 80, 112)
    together = encoder(embedding, mask)
    assert together.requires_grad
    seen, inside = [], encoder._fused
    monkeypatch.setattr(encoder, "_fused", lambda image, part: seen.append(len(part)) or inside(image, part))
    monkeypatch.setattr(memory_encoder, "PLACES", 2 * 5 * 7)
    with torch.no_grad():
        few = encoder(embedding, mask)
    assert seen == [2, 2, 1]
    torch.testing.assert_close(few, together.detach(), rtol=1e-5, atol=1e-6)
