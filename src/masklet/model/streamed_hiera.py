"""Hiera for inference on a CPU: the numbers of :mod:`~masklet.model.hiera`, with less arithmetic and traffic to memory.

Tokens lie in the order of a stage's windows (:mod:`~masklet.model.window_order`). A block runs from its first norm to
the end of its MLP on one band of windows after the other, so that what lies between (queries, keys and values, the
hidden layer of the MLP) stays in the cache and never exists for the whole map; likewise the patches of the embedding.
The zeros that fill windows at an edge are never made: all their keys are the same, so one of them stands for all. Only
what the neck keeps of a stage is put in the order of a map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .hiera import Hiera, HieraBlock
from .packed_linear import PackedLinear
from .projection import Projection
from .window_order import Tiles, WindowOrder

BAND = 2048  # tokens, about: less costs calls, more leaves the cache

Tokens = Float[Tensor, "n c"]
OutputTokens = Float[Tensor, "m o"]  # a quarter of them where queries are pooled


class StreamedHiera:
    """A trunk for images of any size whose sides are multiples of 32; gradients are not kept.

    Linear layers of all stages but the last, which has few tokens and the largest weights, are kept a second time,
    packed, where torch can: 52 MB more for tiny, 161 for base_plus, 597 for large. Encoders of one model share them.

    Args:
        trunk: Its weights must not change any more.
    """

    def __init__(self, trunk: Hiera) -> None:
        self._trunk = trunk
        patch = trunk.patch.weight.permute(0, 2, 3, 1).flatten(1), trunk.patch.bias  # channels of a patch come last
        self._patch = PackedLinear.matrix(*patch, BAND)
        packed = trunk.stage_ends[-2]
        self._blocks = [_Block.of(block, packed=i <= packed) for i, block in enumerate(trunk.blocks)]
        self._position: tuple[Tokens, WindowOrder] | None = None  # of the last size

    @staticmethod
    def serves(trunk: Hiera) -> bool:
        """Whether its blocks are of a kind known here: those that open a stage have windows of an even side."""
        return all(
            isinstance(b, HieraBlock) and (not b.opens_stage or (b.window > 0 and b.window % 2 == 0))
            for b in trunk.blocks
        )

    @torch.inference_mode()
    def __call__(
        self, image: Float[Tensor, "1 3 H W"], projections: Sequence[Projection]
    ) -> list[Float[Tensor, "_ _ _"]]:
        """Maps at strides 4, 8, 16 and 32, each projected."""
        tokens, order = self._embed(image)
        maps = []
        for i, block in enumerate(self._blocks):
            if block.window not in (0, order.side):
                here, order = order, WindowOrder(order.height, order.width, block.window)
                tokens = order.gather(here.scatter(tokens))
            tokens = block(tokens, order)
            order = order.halved() if block.opens_stage else order
            if i in self._trunk.stage_ends:
                maps.append(order.scatter(projections[len(maps)](tokens)))
        return maps

    def _embed(self, image: Float[Tensor, "1 3 H W"]) -> tuple[Tokens, WindowOrder]:
        """Patches with their position codes."""
        patches = _patches(image)
        height, width = patches.shape[:2]
        order = WindowOrder(height, width, self._blocks[0].window or max(height, width))
        if self._position is None or self._position[1] != order:
            self._position = order.gather(self._trunk.position_map(height, width)[0]), order
        position = self._position[0]
        tokens = torch.empty_like(position)
        for band in order.bands(BAND):
            rows = slice(band[0].start, band[-1].end)
            torch.add(self._patch(order.gather(patches, band).flatten(1)), position[rows], out=tokens[rows])
        return tokens, order


@dataclass(frozen=True)
class _Block:
    """A block with its linear layers."""

    block: HieraBlock
    qkv: PackedLinear
    out: PackedLinear
    first: PackedLinear
    second: PackedLinear

    @staticmethod
    def of(block: nn.Module, packed: bool) -> _Block:
        assert isinstance(block, HieraBlock)
        attention, (first, second) = block.attention, block.mlp.layers

        def linear(layer: nn.Module, gelu: bool = False) -> PackedLinear:
            assert isinstance(layer, nn.Linear)
            return PackedLinear.of(layer, BAND, gelu) if packed else PackedLinear(layer, gelu=gelu)

        return _Block(block, linear(attention.qkv), linear(attention.out), linear(first, gelu=True), linear(second))

    @property
    def window(self) -> int:
        """Side of its windows; 0 if it attends globally."""
        return self.block.window

    @property
    def opens_stage(self) -> bool:
        """Whether it pools 2x2."""
        return self.block.opens_stage

    def __call__(self, x: Tokens, order: WindowOrder) -> OutputTokens:
        """The block; tokens that keep their number are changed in place."""
        if not self.window:
            for rows, attended in zip(x.split(BAND), self._attend_globally(x).split(BAND), strict=True):
                rows += self.out(attended.flatten(1))
                self._mlp(rows)
            return x
        pooled = 4 if self.opens_stage else 1
        out = x.new_empty(len(x) // 4, self.out.layer.out_features) if self.opens_stage else x
        for band in order.bands(BAND):
            start, end = band[0].start, band[-1].end
            normed, rows = self.block.norm1(x[start:end]), out[start // pooled : end // pooled]
            if self.block.shortcut is not None:
                short = self.block.shortcut(normed)
                parts = [_pool(_windows(short, tiles, start)).flatten(0, 2) for tiles in band]
                torch.cat(parts, out=rows)
            rows += self._attend(normed, band)
            self._mlp(rows)
        return out

    def _attend(self, normed: Tokens, band: list[Tiles]) -> OutputTokens:
        """Attention within windows, whose queries are pooled where the block opens a stage."""
        inside, start = self.qkv(normed), band[0].start
        results = [self._attend_within(_windows(inside, tiles, start), tiles.missing) for tiles in band]
        return self.out(results[0] if len(results) == 1 else torch.cat(results))

    def _attend_within(self, inside: Float[Tensor, "b h w i"], missing: int) -> OutputTokens:
        """Attention in windows, of each of which ``missing`` places are zeros beyond the edge."""
        heads, b = self.block.attention.heads, len(inside)
        query, key_value = inside.tensor_split([inside.shape[-1] // 3], dim=-1)
        query = (_pool(query) if self.opens_stage else query).flatten(1, 2).unflatten(-1, (heads, -1))
        key_value = key_value.flatten(1, 2).unflatten(-1, (2, heads, -1))  # [b n 2 heads d]
        counts = None
        if missing:
            zero = self.qkv.layer.bias.view(3, heads, -1)[1:]
            key_value = torch.cat((key_value, zero.expand(b, 1, -1, -1, -1)), dim=1)
            counts = query.new_zeros(1, key_value.shape[1])
            counts[:, -1] = math.log(missing)  # as many keys as there are zeros
        query, key, value = query.transpose(1, 2), *key_value.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(query, key, value, counts)
        return y.transpose(1, 2).reshape(-1, y.shape[1] * y.shape[3])

    def _attend_globally(self, x: Tokens) -> Float[Tensor, "n heads d"]:
        """Attention over the whole map, in any order of its tokens."""
        heads, width = self.block.attention.heads, self.block.attention.head_width
        # All queries read all keys: worth a copy in which they lie one after the other.
        inside = x.new_empty(3, heads, len(x), width)
        for rows, place in zip(x.split(BAND), inside.split(BAND, dim=2), strict=True):
            place.copy_(self.qkv(self.block.norm1(rows)).view(-1, 3, heads, width).permute(1, 2, 0, 3))
        query, key, value = inside[:, None]
        return F.scaled_dot_product_attention(query, key, value)[0].transpose(0, 1)

    def _mlp(self, x: Tokens) -> None:
        """Add the MLP in place."""
        x += self.second(self.first(self.block.norm2(x)))


def _patches(image: Float[Tensor, "1 3 H W"]) -> Float[Tensor, "h w 7 21"]:
    """The 7x7 pixels that the embedding reads for each token, as a view of the padded image."""
    rows = F.pad(image[0].permute(1, 2, 0), (0, 0, 3, 3, 3, 3)).flatten(1)
    return rows.unfold(1, 7 * 3, 4 * 3).unfold(0, 7, 4).transpose(2, 3)


def _windows(tokens: Tokens, tiles: Tiles, start: int) -> Float[Tensor, "b h w c"]:
    """Windows among tokens that begin at ``start``."""
    return tokens[tiles.start - start : tiles.end - start].view(tiles.count, tiles.height, tiles.width, -1)


def _pool(x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b p q c"]:
    """Max-pool 2x2; in this layout several times faster than torch's."""
    rows = torch.maximum(x[:, ::2], x[:, 1::2])
    return torch.maximum(rows[:, :, ::2], rows[:, :, 1::2])
