"""Projections of a trunk's stages, each of which may be several layers of the readable model as one matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import LayerNorm2d


@dataclass(frozen=True)
class Projection:
    """A matrix for the channels, which come last.

    Attributes:
        normed: Whether channels are normed first; scale and shift of the norm are in the matrix.
        planes: Whether a channel's results lie together in memory, whatever their shape says. Transposed convolutions
            give planes, to which channels that lie side by side are added ten times more slowly than planes.
    """

    weight: Float[Tensor, "o i"]
    bias: Float[Tensor, " o"]
    normed: bool = False
    planes: bool = False

    @staticmethod
    def of(convolution: nn.Module) -> Projection:
        """A 1x1 convolution."""
        assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
        return Projection(convolution.weight[:, :, 0, 0], convolution.bias)

    def then(self, later: Projection) -> Projection:
        """This one and another one after it."""
        weight = later.weight.double()
        bias = weight @ self.bias.double() + later.bias
        dtype = self.weight.dtype
        return Projection((weight @ self.weight.double()).to(dtype), bias.to(dtype), self.normed)

    def after(self, norm: nn.Module) -> Projection:
        """A norm and this one after it."""
        assert isinstance(norm, nn.LayerNorm)
        return Projection(torch.diag(norm.weight), norm.bias, normed=True).then(self)

    def in_planes(self) -> Projection:
        """The same numbers in planes."""
        return replace(self, planes=True)

    def __call__(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """Project tokens, or a map of one image."""
        x = F.layer_norm(x, x.shape[-1:], eps=LayerNorm2d.EPS) if self.normed else x
        if not self.planes:
            return F.linear(x, self.weight, self.bias)
        y = torch.addmm(self.bias[:, None], self.weight, x.flatten(0, -2).T)
        return y.T.unflatten(0, x.shape[:-1])
