"""The memory encoder for inference on a CPU: the numbers of :mod:`~masklet.model.memory_encoder`, with less traffic.

Maps are changed in place. While a map has few channels they come first and its norm is sums over whole rows; then they
come last, 1x1 convolutions are matrix products with packed weights (:mod:`~masklet.model.packed_linear`), and the MLPs
run on one band of places after the other, so that the hidden layer stays in the cache. What the last MLP makes is only
read by the projection to the narrow memory: its second matrix, its layer scale and that projection are one.
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
FEW = 8  # channels that come first: torch's layer norm is slow on short rows

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
        matrices = [(conv.weight[:, :, 0, 0], conv.bias) for conv in (downsampler.out, encoder.image, encoder.out)]
        self._mask, self._image, self._out = (PackedLinear.matrix(*matrix, BAND) for matrix in matrices)
        *blocks, last = encoder.fuser
        self._blocks, self._last = [_Block.of(block) for block in blocks], _Block.of(last, matrices[-1][0])
        self._projection: tuple[Tensor, list[Places]] | None = None

    def clear(self) -> None:
        """Let go of the projection that is kept."""
        self._projection = None

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    def __call__(
        self, embedding: Float[Tensor, "#b c h w"], mask: Float[Tensor, "b 1 p q"]
    ) -> Float[Tensor, "b m h w"]:
        """Memory maps of an unconditioned embedding and scaled masks, one after the other."""
        images = self._projected(embedding)
        images = images * len(mask) if len(images) == 1 else images
        memories = [self._encoded(image, one) for image, one in zip(images, mask, strict=True)]
        return torch.stack(memories).permute(0, 3, 1, 2)  # channels stay last in memory, as they are read

    def _projected(self, embedding: Float[Tensor, "b c h w"]) -> list[Places]:
        if self._projection is None or self._projection[0] is not embedding:
            self._projection = embedding, [self._image(one.permute(1, 2, 0).contiguous()) for one in embedding]
        return self._projection[1]

    def _encoded(self, image: Places, mask: Float[Tensor, "1 p q"]) -> Float[Tensor, "h w m"]:
        x = mask.contiguous()[None]
        for step in self._steps:
            x = step(x)
        x = self._mask(x[0].permute(1, 2, 0)).add_(image)
        for block in self._blocks:
            block(x, x)
        memory = self._out(x)
        self._last(x, memory)
        return memory


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
    """A ConvNeXt block.

    Attributes:
        block: The block.
        expand: The first matrix of its MLP.
        contract: The second one with the layer scale, and with what comes after it.
    """

    block: ConvNeXtBlock
    expand: PackedLinear
    contract: PackedLinear

    @staticmethod
    def of(block: nn.Module, after: Float[Tensor, "o c"] | None = None) -> _Block:
        assert isinstance(block, ConvNeXtBlock)
        weight, bias = block.scale[:, None] * block.contract.weight, block.scale * block.contract.bias
        if after is not None:
            wide = after.double()
            weight, bias = (wide @ weight.double()).to(weight.dtype), (wide @ bias.double()).to(bias.dtype)
        return _Block(block, PackedLinear.of(block.expand, BAND, gelu=True), PackedLinear.matrix(weight, bias, BAND))

    def __call__(self, x: Places, to: Float[Tensor, "h w o"]) -> None:
        """Add what the block makes of a map to that map, or to what it was projected to."""
        depthwise, norm = self.block.depthwise, self.block.norm
        # The new axis goes first, or its stride would hide from the convolution that channels are last.
        y = F.conv2d(x[None].permute(0, 3, 1, 2), depthwise.weight, depthwise.bias, 1, 3, 1, depthwise.groups)
        y = y[0].permute(1, 2, 0).flatten(0, 1)
        for rows, band in zip(to.flatten(0, 1).split(BAND), y.split(BAND), strict=True):
            normed = F.layer_norm(band, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
            rows += self.contract(self.expand(normed))
