from __future__ import annotations

import pytest
import torch

from masklet.model import streamed_attention as streamed
from masklet.model.streamed_attention import streamed_attention


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    scores = query.double() @ key.double().T + (0 if bias is None else bias.double())
    return torch.softmax(scores, 1) @ value.double()


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("tile", [(1024, 512), (7, 5), (23, 41), (1, 1)])
@pytest.mark.parametrize("biased", [False, True])
def test_it_is_softmax_attention(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, near: float, tile: tuple[int, int], biased: bool
):
    monkeypatch.setattr(streamed, "TILE", tile)
    torch.manual_seed(0)
    query, key, value = (torch.randn(n, c, dtype=dtype) for n, c in ((23, 8), (41, 8), (41, 3)))
    bias = 3 * torch.randn(41, dtype=dtype) if biased else None
    got = streamed_attention(query, key, value, bias)
    assert got.dtype == dtype
    assert (got - reference(query, key, value, bias)).abs().max() < near


@pytest.mark.parametrize("first", [-500.0, 500.0])
def test_scores_of_any_size(monkeypatch: pytest.MonkeyPatch, first: float):
    """Rising and falling from tile to tile by more than float32 can hold as a factor."""
    monkeypatch.setattr(streamed, "TILE", (2, 3))
    query, key = torch.ones(4, 1), torch.linspace(first, -first, 12)[:, None]
    value = torch.arange(12.0)[:, None]
    got = streamed_attention(query, key, value)
    assert torch.allclose(got.double(), reference(query, key, value, None), atol=1e-6)


def test_no_weight_is_subnormal(monkeypatch: pytest.MonkeyPatch):
    """They make matrix products many times slower."""
    smallest = []
    exp_ = torch.Tensor.exp_
    monkeypatch.setattr(torch.Tensor, "exp_", lambda x: smallest.append(float(exp_(x).min())) or x)
    streamed_attention(torch.ones(2, 1), torch.linspace(-100, 0, 50)[:, None], torch.ones(50, 1))
    assert min(x for x in smallest if x > 0) >= torch.finfo(torch.float32).tiny
