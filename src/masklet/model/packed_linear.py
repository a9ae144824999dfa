"""Linear layers with their weights laid out once for oneDNN's products, for inference on a CPU in float32.

BLAS lays a weight out anew at every call. torch packs weights itself when it compiles a model; the operations it has
for that are private, so they are tried before they are used, and where they are missing or say something else the layer
is called as it is. Sessions of a model share the packed weights, which go with the last of them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from weakref import WeakKeyDictionary, ref

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class PackedLinear:
    """A linear layer, or one with GELU after it.

    Attributes:
        layer: What it computes; also what computes it where nothing is packed.
        weight: Packed, a second copy in memory; None where the layer is called.
        gelu: Whether GELU follows.
        fused: Whether the product itself applies it, without a pass of its own.
    """

    layer: nn.Linear
    weight: Tensor | None = None
    gelu: bool = False
    fused: bool = False

    @staticmethod
    def of(layer: nn.Linear, rows: int, gelu: bool = False) -> PackedLinear:
        """Pack a layer for inputs of about ``rows`` rows; one of another kind or type than float32 is kept as it is."""
        if type(layer) is not nn.Linear or layer.weight.device.type != "cpu" or layer.weight.dtype != torch.float32:
            return PackedLinear(layer, gelu=gelu)
        if not can_pack():
            return PackedLinear(layer, gelu=gelu)
        # With vectors of 256 bits oneDNN's GELU costs more than the pass that it saves (0.9 of the speed).
        fused = gelu and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        return PackedLinear(layer, _packed(layer, rows), gelu, fused)

    @staticmethod
    def matrix(weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"] | None, rows: int) -> PackedLinear:
        """Pack a weight and a bias that are no layer's; they are not shared."""
        assert bias is not None
        linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        linear.weight, linear.bias = (nn.Parameter(x.detach(), requires_grad=False) for x in (weight, bias))
        return PackedLinear.of(linear, rows)

    def __call__(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """Apply it to the last axis; the layer's weights must not have changed."""
        y = self.layer(x) if self.weight is None else _product(x, self.weight, self.layer.bias, self.fused)
        return torch.ops.aten.gelu_(y) if self.gelu and not self.fused else y


@functools.cache
def can_pack() -> bool:
    """Whether torch's private operations are there and give what a linear layer gives."""
    if not torch.backends.mkldnn.is_available():
        return False
    x, weight, bias = (torch.linspace(-2, 2, n).sin() for n in (3 * 16, 24 * 16, 24))
    x, weight = x.view(3, 16), weight.view(24, 16)
    wanted = F.linear(x, weight, bias)
    try:
        packed = _pack(weight, 3)
        got = [_product(x, packed, b, gelu) for b in (bias, None) for gelu in (False, True)]
    except (AttributeError, RuntimeError, TypeError):  # missing, not for this build, another signature
        return False
    wanted = [y for z in (wanted, wanted - bias) for y in (z, F.gelu(z))]
    return all(a.shape == b.shape and torch.allclose(a, b, atol=1e-5) for a, b in zip(got, wanted, strict=True))


_Content = tuple[float, float]
_SHARED: WeakKeyDictionary[nn.Linear, tuple[_Content, ref[Tensor]]] = WeakKeyDictionary()


def _packed(layer: nn.Linear, rows: int) -> Tensor:
    """Packed weights, which others may have too as long as the layer's are the same."""
    weight = layer.weight.detach()
    content = float(weight.sum()), float(weight.norm())  # sees changes that tensors do not count (``.data``)
    if layer in _SHARED:
        known, packed = _SHARED[layer][0], _SHARED[layer][1]()
        if packed is not None and known == content:
            return packed
    packed = _pack(weight, rows)
    _SHARED[layer] = content, ref(packed)
    return packed


def _pack(weight: Float[Tensor, "o i"], rows: int) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight, rows)


def _product(x: Float[Tensor, "*b i"], packed: Tensor, bias: Tensor | None, gelu: bool) -> Float[Tensor, "*b o"]:
    """The algorithm "none" of GELU is the exact one."""
    return torch.ops.mkldnn._linear_pointwise(x, packed, bias, "gelu" if gelu else "none", [], "none" if gelu else "")
