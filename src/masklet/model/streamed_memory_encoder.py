"""The memory encoder for inference on a CPU: the numbers of :mod:`~masklet.model.memory_encoder`, with less traffic.

Maps are changed in place. While a map has few channels they come first and its norm is sums over whole rows; then they
come last, 1x1 convolutions are matrix products with packed weights (:mod:`~masklet.model.packed_linear`), and the MLPs
run on one band of places after the other, so that the hidden layer stays in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import ConvNeXtBlock, LayerNorm2d
from .memory_encoder import MemoryEncoder
from .packed_linear import PackedLinear

BAND = 1024  # places: less costs calls, more leaves the cache
FEW = 16  # channels that come first: torch's layer norm is slow on short rows

Places = Float[Tensor, "h w c"]


class StreamedMemoryEncoder:
    """The memory encoder of one session; it keeps the last frame's projection, which all its objects share.

    Args:
        encoder: Its weights must not change any more.
    """

    @torch.inference_mode()
    def __init__(self, encoder: MemoryEncoder) -> None:
        downsampler = encoder.mask
        self._steps = [_Step.of(*step) for step in zip(downsampler.convs, downsampler.norms, strict=True)]
        self._mask, self._image, self._out = (_packed(conv) for conv in (downsampler.out, encoder.image, encoder.out))
        self._blocks = [_Block.of(block) for block in encoder.fuser]
        self._last: tuple[Tensor, list[Places]] | None = None

    def clear(self) -> None:
        """Let go of the projection that is kept."""
        self._last = None

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    def __call__(
        self, embedding: Float[Tensor, "#b c h w"], mask: Float[Tensor, "b 1 p q"]
    ) -> Float[Tensor, "b m h w"]:
        """Memory maps of an unconditioned embedding and scaled masks, one after the other."""
        images = self._projected(embedding)
        images = images * len(mask) if len(images) == 1 else images
        return torch.stack([self._encoded(image, one) for image, one in zip(images, mask, strict=True)])

    def _projected(self, embedding: Float[Tensor, "b c h w"]) -> list[Places]:
        if self._last is None or self._last[0] is not embedding:
            self._last = embedding, [self._image(one.permute(1, 2, 0).contiguous()) for one in embedding]
        return self._last[1]

    def _encoded(self, image: Places, mask: Float[Tensor, "1 p q"]) -> Float[Tensor, "m h w"]:
        x = mask.contiguous()[None]
        for step in self._steps:
            x = step(x)
        x = self._mask(x[0].permute(1, 2, 0)).add_(image)
        for block in self._blocks:
            block(x)
        return self._out(x).permute(2, 0, 1).contiguous()


@dataclass(frozen=True)
class _Step:
    """A convolution that halves the mask, its norm, and GELU.

    Attributes:
        weight: Of the convolution, centred over the channels that come out where they come first.
        bias: Likewise.
        norm: The norm.
    """

    weight: Float[Tensor, "o i 3 3"]
    bias: Float[Tensor, " o"]
    norm: LayerNorm2d

    @staticmethod
    def of(conv: nn.Module, norm: nn.Module) -> _Step:
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None and isinstance(norm, LayerNorm2d)
        if conv.out_channels > FEW:
            return _Step(conv.weight.contiguous(memory_format=torch.channels_last), conv.bias, norm)
        return _Step(conv.weight - conv.weight.mean(0), conv.bias - conv.bias.mean(), norm)

    def __call__(self, x: Float[Tensor, "1 i p q"]) -> Float[Tensor, "1 o p2 q2"]:
        x = F.conv2d(x, self.weight, self.bias, stride=2, padding=1)
        if len(self.bias) > FEW:
            x = F.layer_norm(
                x.permute(0, 2, 3, 1), self.norm.normalized_shape, self.norm.weight, self.norm.bias, self.norm.eps
            )
            return torch.ops.aten.gelu_(x).permute(0, 3, 1, 2)
        scale, shift = self.norm.weight[:, None, None], self.norm.bias[:, None, None]
        x *= x.square().mean(1, keepdim=True).add_(self.norm.eps).rsqrt_()
        return torch.ops.aten.gelu_(torch.addcmul(shift, x, scale, out=x))


@dataclass(frozen=True)
class _Block:
    """A ConvNeXt block."""

    block: ConvNeXtBlock
    expand: PackedLinear
    contract: PackedLinear

    @staticmethod
    def of(block: nn.Module) -> _Block:
        assert isinstance(block, ConvNeXtBlock)
        return _Block(block, PackedLinear.of(block.expand, BAND, gelu=True), PackedLinear.of(block.contract, BAND))

    def __call__(self, x: Places) -> None:
        """Refine a map in place."""
        depthwise, norm = self.block.depthwise, self.block.norm
        # The new axis goes first, or its stride would hide from the convolution that channels are last.
        y = F.conv2d(x[None].permute(0, 3, 1, 2), depthwise.weight, depthwise.bias, 1, 3, 1, depthwise.groups)
        y = y[0].permute(1, 2, 0).flatten(0, 1)
        for rows, band in zip(x.flatten(0, 1).split(BAND), y.split(BAND), strict=True):
            normed = F.layer_norm(band, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
            rows.addcmul_(self.contract(self.expand(normed)), self.block.scale)


def _packed(conv: nn.Conv2d) -> PackedLinear:
    """A 1x1 convolution as a matrix."""
    assert conv.bias is not None
    linear = nn.Linear(conv.in_channels, conv.out_channels, device="meta")
    linear.weight, linear.bias = nn.Parameter(conv.weight[:, :, 0, 0]), nn.Parameter(conv.bias)
    return PackedLinear.of(linear, BAND)
