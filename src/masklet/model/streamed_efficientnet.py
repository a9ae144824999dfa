"""EfficientNet-Lite for inference on a CPU: the numbers of :mod:`~masklet.model.efficientnet`, channels last.

1x1 convolutions are matrix products, and a block runs from expansion to projection on one band of rows after the
other, so that its wide hidden map stays in the cache. Bands share the rows that a kernel reaches beyond them. What
"same" padding adds goes around the narrow input; expanded, it is no longer zero, and is made so again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from .efficientnet import STAGE_OUTPUTS, EfficientNetLite, InvertedResidual, SameConv
from .projection import Projection

ROOM = 2**18  # numbers of a band's hidden map, about: less costs calls and shared rows, more leaves the cache


class StreamedEfficientNet:
    """A trunk for images of any size whose sides are multiples of 32; gradients are not kept.

    Args:
        trunk: Its weights must not change any more.
    """

    def __init__(self, trunk: EfficientNetLite) -> None:
        self._trunk = trunk

    @torch.inference_mode()
    def __call__(
        self, image: Float[Tensor, "1 3 H W"], projections: Sequence[Projection]
    ) -> list[Float[Tensor, "_ _ _"]]:
        """Projected maps at strides 4, 8, 16 and 32."""
        x = F.relu6(self._trunk.stem(image.contiguous(memory_format=torch.channels_last)), inplace=True)
        x = x[0].permute(1, 2, 0)
        maps = []
        for i, stage in enumerate(self._trunk.stages):
            for block in stage.children():
                assert isinstance(block, InvertedResidual)
                x = _block(block, x)
            if i in STAGE_OUTPUTS:
                maps.append(projections[len(maps)](x))
        return maps


def _block(block: InvertedResidual, x: Float[Tensor, "h w c"]) -> Float[Tensor, "p q o"]:
    """A block; a map that keeps its shape is changed in place."""
    depthwise, project = block.depthwise, _matrix(block.project)
    (height, width, _), hidden = x.shape, depthwise.in_channels
    stride, kernel, before, after = depthwise.stride[0], depthwise.kernel_size[0], depthwise.before, depthwise.after
    more = after - before  # of padding at the bottom right, at stride 2
    out = x if block.residual else x.new_empty(height // stride, width // stride, len(project[0]))
    step = max(ROOM // (width * hidden * stride), 4)
    whole = step >= len(out)  # one band, whose rows the convolution pads
    top, bottom = (0, more) if whole else (before, after)
    padded = F.pad(x, (0, 0, 0, more, top, bottom)) if top or bottom else x
    for first in range(0, len(out), step):
        y = padded[first * stride : (first + step - 1) * stride + kernel]
        if block.expand is not None:
            y = F.relu6(F.linear(y, *_matrix(block.expand)), inplace=True)
            if first == 0:
                y[:top] = 0
            if first + step >= len(out):
                y[len(y) - bottom :] = 0
            y[:, width:] = 0
        # The new axis goes first, or its stride would hide from the convolution that channels are last.
        y = y[None].permute(0, 3, 1, 2)
        y = F.conv2d(y, depthwise.weight, depthwise.bias, stride, (before if whole else 0, before), groups=hidden)
        y = F.linear(F.relu6(y, inplace=True)[0].permute(1, 2, 0), *project)
        if block.residual:
            out[first : first + step] += y
        else:
            out[first : first + step] = y
    return out


def _matrix(projection: SameConv) -> tuple[Float[Tensor, "o i"], Float[Tensor, " o"]]:
    """A 1x1 convolution as a matrix and a bias."""
    assert projection.bias is not None
    return projection.weight[:, :, 0, 0], projection.bias
