"""Memory encoder: a mask and the frame's own features to a narrow memory map (paper, section 4).

Parity: sam2/modeling/memory_encoder.py and sam2/modeling/sam2_base.py:678-726.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import ConvNeXtBlock, LayerNorm2d

MASK_SCALE, MASK_BIAS = 20.0, -10.0


class MaskDownsampler(nn.Module):
    """Mask at the input size to stride 16."""

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        channels = (1, *widths)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(channels))
        self.norms = nn.ModuleList(LayerNorm2d(b) for b in widths)
        self.out = nn.Conv2d(channels[-1], width, 1)

    def forward(self, mask: Float[Tensor, "b 1 p q"]) -> Float[Tensor, "b c h w"]:
        """Encode a mask whose values run from -10 to 10."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            mask = F.gelu(norm(conv(mask)))
        return self.out(mask)


class MemoryEncoder(nn.Module):
    """Fuses mask and image, and narrows the result."""

    def __init__(self, width: int, memory_width: int, mask_widths: tuple[int, ...]) -> None:
        super().__init__()
        self.mask = MaskDownsampler(mask_widths, width)
        self.image = nn.Conv2d(width, width, 1)
        self.fuser = nn.Sequential(ConvNeXtBlock(width), ConvNeXtBlock(width))
        self.out = nn.Conv2d(width, memory_width, 1)

    def forward(self, embedding: Float[Tensor, "#b c h w"], mask: Float[Tensor, "b 1 p q"]) -> Float[Tensor, "b m h w"]:
        """Memory map of an unconditioned embedding and a scaled mask."""
        return self.out(self.fuser(self.image(embedding) + self.mask(mask)))


def scale_mask(logits: Float[Tensor, "b 1 h w"], size: tuple[int, int], binarize: bool) -> Float[Tensor, "b 1 p q"]:
    """Logits at the input size, squashed to -10..10 (to exactly -10 or 10 with ``binarize``)."""
    full = F.interpolate(logits.float(), size, mode="bilinear", align_corners=False)
    mask = (full > 0).float() if binarize else torch.sigmoid(full)
    return mask * MASK_SCALE + MASK_BIAS
