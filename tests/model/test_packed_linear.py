from __future__ import annotations

from collections.abc import Iterator
from weakref import ref

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from masklet.model import packed_linear
from masklet.model.int8 import Int8Linear
from masklet.model.packed_linear import PackedLinear, can_pack


@pytest.fixture
def asked_again() -> Iterator[None]:
    """Whether torch can pack is asked anew, within the test and after it."""
    can_pack.cache_clear()
    yield
    can_pack.cache_clear()


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_gives_what_the_layer_gives(gelu: bool, bias: bool, rows: int):
    torch.manual_seed(0)
    layer, x = nn.Linear(24, 40, bias=bias), torch.randn(rows, 24)
    with torch.inference_mode():
        wanted = F.gelu(layer(x)) if gelu else layer(x)
        assert torch.allclose(PackedLinear.of(layer, 64, gelu)(x), wanted, atol=1e-6)
        assert torch.allclose(PackedLinear(layer, gelu=gelu)(x), wanted, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
def test_gelu_is_the_exact_one_within_the_product_and_after_it(fused: bool, monkeypatch: pytest.MonkeyPatch):
    if not can_pack():
        pytest.skip("this torch does not pack")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512" if fused else "AVX2")
    layer, x = nn.Linear(16, 16), torch.linspace(-4, 4, 64).view(4, 16)
    packed = PackedLinear.of(layer, 4, gelu=True)
    assert packed.fused == fused
    with torch.inference_mode():
        assert torch.allclose(packed(x), F.gelu(layer(x)), atol=1e-6)


@pytest.mark.parametrize("layer", [nn.Linear(8, 8).double(), nn.Linear(8, 8).bfloat16(), Int8Linear(nn.Linear(8, 8))])
def test_other_layers_are_kept_as_they_are(layer: nn.Linear):
    assert PackedLinear.of(layer, 8).weight is None


def wrong(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, fused: bool) -> torch.Tensor:
    return x.new_zeros(len(x), 24)


def refuses(*_: object) -> torch.Tensor:
    raise RuntimeError("Could not run 'mkldnn::_linear_pointwise'")


@pytest.mark.parametrize("product", [wrong, refuses])
def test_operations_that_do_not_work_are_not_used(asked_again: None, monkeypatch: pytest.MonkeyPatch, product: object):
    monkeypatch.setattr(packed_linear, "_product", product)
    layer, x = nn.Linear(8, 8), torch.randn(2, 8)
    packed = PackedLinear.of(layer, 8, gelu=True)
    assert packed.weight is None
    with torch.inference_mode():
        assert torch.equal(packed(x), F.gelu(layer(x)))


def test_missing_operations_are_not_used(asked_again: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert PackedLinear.of(nn.Linear(8, 8), 8).weight is None


def test_packed_weights_are_shared_until_the_layer_changes():
    if not can_pack():
        pytest.skip("this torch does not pack")
    layer, x = nn.Linear(8, 8), torch.randn(2, 8)
    first, second = PackedLinear.of(layer, 8), PackedLinear.of(layer, 8, gelu=True)
    assert first.weight is second.weight
    layer.weight.data += 1  # which no version counts
    third = PackedLinear.of(layer, 8)
    assert third.weight is not first.weight
    with torch.inference_mode():
        assert torch.allclose(third(x), layer(x), atol=1e-6)


def test_packed_weights_go_with_the_last_who_has_them():
    if not can_pack():
        pytest.skip("this torch does not pack")
    layer = nn.Linear(8, 8)
    packed = PackedLinear.of(layer, 8).weight
    assert packed is not None
    kept = ref(packed)
    del packed
    assert kept() is None
