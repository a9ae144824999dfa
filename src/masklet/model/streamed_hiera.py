"""Hiera for inference on a CPU: the numbers of :mod:`~masklet.model.hiera`, with less traffic to memory.

A block runs from its first norm to the end of its MLP on one band of windows after the other, so that what lies between
(queries, keys and values, the hidden layer of the MLP) stays in the cache and never exists for the whole map. Windows
are cut from the narrow tokens rather than from queries, keys and values, and go back as a part of the residual sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from .hiera import Hiera, HieraBlock

BAND = 2048  # tokens, about: less costs calls, more leaves the cache


@dataclass(frozen=True)
class Windows:
    """How bands of a map fall into windows.

    Attributes:
        side: Of a window.
        columns: Windows of a row of windows; the last one may reach over the edge.
    """

    side: int
    columns: int

    def cut(self, band: Float[Tensor, "r w c"]) -> Float[Tensor, "n s s c"]:
        """Windows of a band, with zeros where they reach over its edges."""
        rows, width, c = band.shape
        s, across = self.side, self.columns * self.side
        down = -(-rows // s) * s
        if (down, across) != (rows, width):
            band = F.pad(band, (0, 0, 0, across - width, 0, down - rows))
        return band.view(down // s, s, self.columns, s, c).transpose(1, 2).reshape(-1, s, s, c)

    def add(self, band: Float[Tensor, "r w c"], windows: Float[Tensor, "n s s c"], side: int) -> None:
        """Add windows, now of ``side`` pixels, to the band that they make up."""
        rows, width, c = band.shape
        joined = windows.view(-1, self.columns, side, side, c).transpose(1, 2)  # [down s columns s c]
        whole = joined.shape[0] * side == rows and self.columns * side == width
        if whole:
            band.view(-1, side, self.columns, side, c).add_(joined)
        else:
            band += joined.reshape(-1, self.columns * side, c)[:rows, :width]


class StreamedHiera:
    """A trunk for images of any size whose sides are multiples of 32; gradients are not kept.

    Args:
        trunk: Its weights must not change any more.
    """

    def __init__(self, trunk: Hiera) -> None:
        self._trunk = trunk
        self._position: Float[Tensor, "h w c"] | None = None

    @staticmethod
    def serves(trunk: Hiera) -> bool:
        """Whether its blocks are of a kind known here: those that open a stage have windows of an even side."""
        return all(
            isinstance(b, HieraBlock) and (not b.opens_stage or (b.window > 0 and b.window % 2 == 0))
            for b in trunk.blocks
        )

    @torch.inference_mode()
    def __call__(self, image: Float[Tensor, "1 3 H W"]) -> list[Float[Tensor, "_ _ _"]]:
        """Maps at strides 4, 8, 16 and 32."""
        x = self._trunk.patch(image)[0].permute(1, 2, 0).contiguous()
        position = self._position
        if position is None or position.shape != x.shape:
            self._position = position = self._trunk.position_map(x.shape[0], x.shape[1])[0].contiguous()
        x += position
        maps = []
        for i, block in enumerate(self._trunk.blocks):
            assert isinstance(block, HieraBlock)
            x = _block(block, x)
            if i in self._trunk.stage_ends:
                maps.append(x)  # the next block opens a stage, which leaves it as it is
        return maps


def _block(block: HieraBlock, x: Float[Tensor, "h w c"]) -> Float[Tensor, "p q o"]:
    """A block; a map that keeps its size is changed in place."""
    h, w, _ = x.shape
    if not block.window:
        _attend_globally(block, x)
        for rows in x.split(max(BAND // w, 1)):
            _mlp(block, rows)
        return x
    windows = Windows(block.window, -(-w // block.window))
    pooled = 2 if block.opens_stage else 1
    out = x.new_empty(h // 2, w // 2, block.attention.out.out_features) if block.opens_stage else x
    step = max(BAND // (w * block.window), 1) * block.window
    for top in range(0, h, step):
        rows, band = x[top : top + step], out[top // pooled : (top + step) // pooled]
        normed = block.norm1(rows)
        if block.shortcut is not None:
            _pool(block.shortcut(normed), out=band)
        windows.add(band, block.attention(windows.cut(normed)), block.window // pooled)
        _mlp(block, band)
    return out


def _attend_globally(block: HieraBlock, x: Float[Tensor, "h w c"]) -> None:
    """Add attention over the whole map in place."""
    attention = block.attention
    inside = attention.qkv(block.norm1(x)).view(1, -1, 3, attention.heads, attention.head_width)
    # All queries read all keys: worth a copy in which they lie one after the other.
    query, key, value = inside.permute(2, 0, 3, 1, 4).contiguous()
    y = F.scaled_dot_product_attention(query, key, value)
    x += attention.out(y.transpose(1, 2).reshape(x.shape))


def _mlp(block: HieraBlock, x: Float[Tensor, "r w c"]) -> None:
    """Add the MLP in place."""
    first, second = block.mlp.layers
    hidden = first(block.norm2(x))
    x += second(torch.ops.aten.gelu_(hidden))


def _pool(x: Float[Tensor, "h w c"], out: Float[Tensor, "p q c"]) -> None:
    """Max-pool 2x2; in this layout several times faster than torch's."""
    rows = torch.maximum(x[::2], x[1::2])
    torch.maximum(rows[:, ::2], rows[:, 1::2], out=out)
