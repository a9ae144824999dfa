"""Hiera, the hierarchical vision transformer of the official models (arXiv 2306.00989), in maps ``b h w c``.

Parity: sam2/modeling/backbones/hieradet.py and utils.py. Two things are easily missed: a block that opens a stage still
attends in the windows of the stage before, and tokens padded to fill a window take part in attention.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .config import HieraConfig
from .layers import MLP, DropPath

Map = Float[Tensor, "b h w c"]
OutputMap = Float[Tensor, "b p q o"]  # half the sides where queries are pooled


def to_windows(x: Map, window: int) -> Float[Tensor, "n s s c"]:
    """Cut a map into square windows, padded with zeros at the bottom and right."""
    b, h, w, c = x.shape
    x = F.pad(x, (0, 0, 0, -w % window, 0, -h % window))
    rows, columns = x.shape[1] // window, x.shape[2] // window
    x = x.reshape(b, rows, window, columns, window, c).transpose(2, 3)
    return x.reshape(-1, window, window, c)


def from_windows(x: Float[Tensor, "n s s c"], height: int, width: int) -> Map:
    """Put windows back together and cut the padding off."""
    window, c = x.shape[1], x.shape[3]
    rows, columns = -(-height // window), -(-width // window)
    x = x.reshape(-1, rows, columns, window, window, c).transpose(2, 3)
    return x.reshape(-1, rows * window, columns * window, c)[:, :height, :width]


def pool(x: Map) -> Float[Tensor, "b p q c"]:
    """Max-pool 2x2."""
    return F.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


class HieraAttention(nn.Module):
    """Attention within each map given to it; ``pooled`` max-pools the queries 2x2."""

    def __init__(self, width_in: int, width_out: int, heads: int, pooled: bool) -> None:
        super().__init__()
        self.heads, self.pooled = heads, pooled
        self.head_width = width_out // heads
        self.qkv = nn.Linear(width_in, 3 * width_out)
        self.out = nn.Linear(width_out, width_out)

    def forward(self, x: Map) -> OutputMap:
        """Attend over all positions."""
        b, h, w, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, h * w, 3, self.heads, -1).unbind(2)  # [b n heads c]
        if self.pooled:
            q = pool(q.reshape(b, h, w, -1))
            h, w = h // 2, w // 2
            q = q.reshape(b, h * w, self.heads, -1)
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return self.out(y.transpose(1, 2).reshape(b, h, w, -1))


class HieraBlock(nn.Module):
    """Windowed attention and MLP; opens a stage when ``width_out`` differs from ``width_in``."""

    def __init__(self, width_in: int, width_out: int, heads: int, window: int, drop_path: float) -> None:
        super().__init__()
        self.window = window
        self.opens_stage = width_in != width_out
        self.norm1 = nn.LayerNorm(width_in, eps=1e-6)
        self.attention = HieraAttention(width_in, width_out, heads, pooled=self.opens_stage)
        self.norm2 = nn.LayerNorm(width_out, eps=1e-6)
        self.mlp = MLP((width_out, 4 * width_out, width_out), nn.GELU)
        self.shortcut = nn.Linear(width_in, width_out) if self.opens_stage else None
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Map) -> OutputMap:
        """Transform a map; halves its sides when opening a stage."""
        normed = self.norm1(x)
        shortcut = x if self.shortcut is None else pool(self.shortcut(normed))
        if self.window:
            y = self.attention(to_windows(normed, self.window))
            y = from_windows(y, shortcut.shape[1], shortcut.shape[2])
        else:
            y = self.attention(normed)
        x = shortcut + self.drop_path(y)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Hiera(nn.Module):
    """The trunk: an image to maps at strides 4, 8, 16 and 32."""

    def __init__(self, config: HieraConfig, drop_path: float = 0.0) -> None:
        super().__init__()
        width, grid = config.width, config.position_grid
        self.patch = nn.Conv2d(3, width, 7, stride=4, padding=3)
        self.position = nn.Parameter(torch.zeros(1, width, grid, grid))
        self.window_position = nn.Parameter(torch.zeros(1, width, config.windows[0], config.windows[0]))
        depth = sum(config.blocks)
        self.blocks = nn.ModuleList()
        self.stage_ends = []
        for stage, blocks in enumerate(config.blocks):
            for i in range(blocks):
                index = len(self.blocks)
                opens = i == 0 and stage > 0
                window = 0 if index in config.global_blocks else config.windows[stage - opens]
                width_out = config.stage_widths[stage]
                heads = config.heads * 2**stage
                rate = drop_path * index / max(depth - 1, 1)
                self.blocks.append(HieraBlock(width_out // 2 if opens else width_out, width_out, heads, window, rate))
            self.stage_ends.append(len(self.blocks) - 1)

    def position_map(self, height: int, width: int) -> Map:
        """Learned background code, resized, plus the learned code of the first windows, tiled."""
        background = F.interpolate(self.position, size=(height, width), mode="bicubic")
        window = self.window_position
        tiles = -(-height // window.shape[2]), -(-width // window.shape[3])
        tiled = window.tile(1, 1, *tiles)[:, :, :height, :width]
        return (background + tiled).permute(0, 2, 3, 1)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Maps at strides 4, 8, 16 and 32."""
        x = self.patch(image).permute(0, 2, 3, 1)
        x = x + self.position_map(x.shape[1], x.shape[2])
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.stage_ends:
                maps.append(x.permute(0, 3, 1, 2))
        return maps
