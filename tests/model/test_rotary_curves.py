"""Projections from curves against projections at every place."""

from __future__ import annotations

import pytest
import torch

from masklet.model.rope import axial_rotation
from masklet.model.rotary_curves import RotaryCurves

LAYERS, HEADS, E, QUERIES = 2, 3, 5, 6


def turns_of(side: int, half: int) -> torch.Tensor:
    """Turns of pairs that go with x."""
    rotation = axial_rotation(1, side, 4 * half, 10000.0)
    return torch.complex(rotation.cos, rotation.sin)[:, :half]


def pairs_of(half: int) -> torch.Tensor:
    return torch.randn(LAYERS, HEADS, E, half, generator=torch.Generator().manual_seed(half), dtype=torch.complex64)


@pytest.mark.parametrize(("dtype", "near"), [(torch.complex64, 3e-6), (torch.complex128, 1e-14)])
@pytest.mark.parametrize(("side", "half"), [(64, 64), (32, 64), (7, 4), (9, 3), (3, 1), (1, 2)])
def test_it_projects_at_every_place(side: int, half: int, dtype: torch.dtype, near: float):
    turns, pairs = turns_of(side, half).to(dtype), pairs_of(half).to(dtype)
    curves = RotaryCurves.of(pairs, turns)
    query = torch.randn(2 * half, QUERIES, generator=torch.Generator().manual_seed(0)).to(pairs.real.dtype)
    room = query.new_empty(curves.curves.numel() * E * QUERIES), query.new_empty(side * E * QUERIES)
    for layer, head in ((0, 0), (1, 2)):
        weight = torch.view_as_real(pairs[layer, head].to(torch.complex128) * turns[:, None]).flatten(-2)
        expected = weight @ query.double()
        projected = curves.project(layer, head, query, room[0])
        for places in (slice(None), slice(side // 2, side)):
            got = curves.mix(projected, places, room[1])
            assert got.dtype == query.dtype
            assert (got - expected[places]).abs().max() < near * expected.abs().max()


@pytest.mark.parametrize(("side", "most"), [(64, 30), (32, 23), (24, 20)])
def test_few_curves_give_the_angles_of_float32(side: int, most: int):
    curves = RotaryCurves.of(pairs_of(64), turns_of(side, 64))
    assert curves.curves.shape[1] <= most
    assert torch.allclose(curves.curves.T @ curves.curves, torch.eye(curves.curves.shape[1]), atol=1e-6)
    assert curves.whole.shape[2] <= 6 * E  # projections of all channels
    assert curves.fast.shape[3] == 64  # of 128
    assert curves.multiply_adds < 0.7 * 128 * side
    assert curves.width == E


def test_in_double_precision_all_angles_are_told_apart():
    assert RotaryCurves.of(pairs_of(64).to(torch.complex128), turns_of(64, 64)).curves.shape == (64, 64)
