"""EfficientNet-Lite0 with batch norm folded into the convolutions: the light trunk of ``nano``.

Source: EfficientNet (arXiv 1905.11946) and its Lite variant: ReLU6, no squeeze-and-excitation, fixed stem and head.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

STAGES = (  # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STAGE_OUTPUTS = (1, 2, 4, 6)  # strides 4, 8, 16, 32


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: at stride 2 the odd pixel goes to the bottom right."""

    def __init__(self, i: int, o: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(i, o, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)
        total = kernel - stride
        self.before, self.after = total // 2, total - total // 2

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o p q"]:
        """Convolve a map with even sides."""
        if self.stride[0] > 1:
            x = F.pad(x, (self.before, self.after, self.before, self.after))
        return super().forward(x)


class InvertedResidual(nn.Module):
    """Expand, depthwise, project; residual where shapes allow."""

    def __init__(self, i: int, o: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = i * expansion
        self.expand = SameConv(i, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SameConv(hidden, o, 1)
        self.residual = stride == 1 and i == o

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o p q"]:
        """Transform a map."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """The trunk: an image to maps at strides 4, 8, 16 and 32 (24, 40, 112 and 320 channels)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        channels = 32
        for repeats, kernel, stride, expansion, width in STAGES:
            blocks = nn.Sequential()
            for r in range(repeats):
                blocks.append(InvertedResidual(channels, width, kernel, stride if r == 0 else 1, expansion))
                channels = width
            self.stages.append(blocks)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Maps at strides 4, 8, 16 and 32."""
        x = F.relu6(self.stem(image))
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in STAGE_OUTPUTS:
                maps.append(x)
        return maps
