"""Multi-head attention with separate query, key and value inputs, optionally with a rotary position code."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .rope import Rotation, rotate


class Attention(nn.Module):
    """Scaled dot-product attention between token sets.

    Args:
        width: Channels of queries in and of the output.
        heads: Number of heads.
        inner: Channels inside (the mask decoder halves them).
        source_width: Channels of keys and values in (memory is narrower than the image).
    """

    def __init__(self, width: int, heads: int, *, inner: int | None = None, source_width: int | None = None) -> None:
        super().__init__()
        inner, source = inner or width, source_width or width
        if inner % heads:
            raise ValueError(f"attention width ({inner}) must be divisible by heads ({heads})")
        self.heads = heads
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(source, inner)
        self.value = nn.Linear(source, inner)
        self.out = nn.Linear(inner, width)

    def split(self, x: Float[Tensor, "b n i"]) -> Float[Tensor, "b heads n d"]:
        """Split projected tokens into heads."""
        b, n, c = x.shape
        return x.reshape(b, n, self.heads, c // self.heads).transpose(1, 2)

    def forward(
        self,
        query: Float[Tensor, "b q c"],
        key: Float[Tensor, "b k s"],
        value: Float[Tensor, "b k s"],
        rotation: Rotation | None = None,
        unrotated: int = 0,
        bias: Float[Tensor, " k"] | None = None,
    ) -> Float[Tensor, "b q c"]:
        """Attend; with ``rotation``, queries and all but the last ``unrotated`` keys are turned.

        ``bias`` is added to the scores of each key.
        """
        q, k, v = self.split(self.query(query)), self.split(self.key(key)), self.split(self.value(value))
        if rotation is not None:
            q = rotate(q, rotation)
            spatial = k.shape[2] - unrotated
            if spatial:
                turned = rotate(k[:, :, :spatial], rotation)
                k = turned if not unrotated else torch.cat((turned, k[:, :, spatial:]), dim=2)
        y = F.scaled_dot_product_attention(q, k, v, None if bias is None else bias.expand(*q.shape[:3], -1))
        return self.out(y.transpose(1, 2).flatten(2))
