from __future__ import annotations

import pytest
import torch
from torch import nn

from masklet.model.layers import LayerNorm2d
from masklet.model.projection import Projection


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("normed", [False, True])
def test_norm_and_two_convolutions_are_one_matrix(normed: bool, planes: bool):
    torch.manual_seed(0)
    norm, first, second = LayerNorm2d(6), nn.Conv2d(6, 9, 1), nn.Conv2d(9, 4, 1)
    for p in norm.parameters():
        nn.init.normal_(p)
    x = torch.randn(1, 6, 3, 5)
    with torch.no_grad():
        wanted = second(first(norm(x) if normed else x))
        one = Projection.of(first).then(Projection.of(second))
        one = one.after(norm) if normed else one
        one = one.in_planes() if planes else one
        got = one(x[0].permute(1, 2, 0))
    assert torch.allclose(got.permute(2, 0, 1)[None], wanted, atol=1e-5)
    assert got.permute(2, 0, 1).is_contiguous() == planes
    assert got.is_contiguous() != planes


@pytest.mark.parametrize("planes", [False, True])
def test_a_map_is_projected_as_its_tokens_are(planes: bool):
    projection = Projection(torch.randn(4, 6), torch.randn(4), planes=planes)
    x = torch.randn(3, 5, 6)
    assert torch.equal(projection(x).flatten(0, 1), projection(x.flatten(0, 1)))
