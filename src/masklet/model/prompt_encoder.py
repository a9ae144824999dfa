"""Prompt encoder: clicks and boxes become sparse tokens, earlier logits a dense map (paper, section 4; SAM, section 3).

Parity: sam2/modeling/sam/prompt_encoder.py.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import Prompts
from .layers import LayerNorm2d
from .position import FourierCode, unit_points

PADDING = -1


class PromptEncoder(nn.Module):
    """Codes of points, box corners and dense logits.

    Row ``i`` of ``labels_embedding`` belongs to label ``i``: negative, positive, box top-left, box bottom-right.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.position = FourierCode(width)
        self.labels_embedding = nn.Parameter(torch.randn(4, width))
        self.padding_embedding = nn.Parameter(torch.randn(1, width))
        self.no_mask_embedding = nn.Parameter(torch.randn(1, width))
        self.dense = nn.Sequential(
            nn.Conv2d(1, 4, 2, 2), LayerNorm2d(4), nn.GELU(), nn.Conv2d(4, 16, 2, 2), LayerNorm2d(16), nn.GELU(),
            nn.Conv2d(16, width, 1),
        )  # fmt: skip

    def encode_points(
        self, points: Float[Tensor, "b n 2"], labels: Int[Tensor, "b n"], size: tuple[int, int]
    ) -> Float[Tensor, "b m c"]:
        """Tokens of points in pixels, and one padding token more: official models never saw a prompt without it."""
        points = F.pad(unit_points(points, size), (0, 0, 0, 1))
        labels = F.pad(labels, (0, 1), value=PADDING)
        padding = (labels == PADDING)[..., None]
        code = self.position(points) + self.labels_embedding[labels.clamp(min=0)]
        return torch.where(padding, self.padding_embedding, code)

    def encode_logits(
        self, logits: Float[Tensor, "b 1 h4 w4"] | None, size: tuple[int, int]
    ) -> Float[Tensor, "#b c #h #w"]:
        """Dense code of logits, brought to stride 4 of the input first; the no-mask code without logits."""
        if logits is None:
            return self.no_mask_embedding.reshape(1, -1, 1, 1)
        low = (size[0] // 4, size[1] // 4)
        if logits.shape[-2:] != low:
            logits = F.interpolate(logits.float(), low, mode="bilinear", antialias=True)
        return self.dense(logits.to(self.no_mask_embedding.dtype))

    def forward(
        self, prompts: Prompts, size: tuple[int, int]
    ) -> tuple[Float[Tensor, "b m c"] | None, Float[Tensor, "#b c #h #w"]]:
        """Sparse tokens (None without points) and the dense code for an input of ``size`` (height, width)."""
        sparse = None
        if prompts.points is not None and prompts.labels is not None:
            sparse = self.encode_points(prompts.points, prompts.labels, size)
        return sparse, self.encode_logits(prompts.previous_logits, size)
