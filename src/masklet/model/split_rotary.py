"""Memory attention without keys: the rotary code splits into a part of the column and a part of the row of a key.

The first half of the channel pairs turns with x alone, the second with y alone (:mod:`~masklet.model.rope`). With the
key projection ``k = W m + b`` of a memory ``m`` (its place and time codes added), the score of a rotated query at
column ``x`` and row ``y`` is

    q . R(x, y) (W m + b) = (A[x] + B[y]) . (m, 1)

where ``A[x] = (W b)^T R(x)^T q_x`` takes the first half of the query's channels and ``B[y]`` the second. Both are as
wide as the memory and one more: for tiny, 65 channels instead of the 256 of a key. Scores cost ``2 (m + 1)``
multiply-adds a token instead of ``d``, and no key is made or kept. ``A`` and ``B`` are mixed from a few curves
(:mod:`~masklet.model.rotary_curves`).

Scores come block by block: of the tokens of a block, all that share a column take its ``A`` in one product, then all
that share a row add its ``B`` in another. Shift and sum of the softmax are a channel of these products as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..structures import Selection
from .memory_bank import PROMPTED_SLOT
from .memory_keys import MemoryKeys, by_head
from .rotary_curves import RotaryCurves
from .streamed_attention import LOWEST

SIDE = 8  # of a block, in places: scores of seven maps and 512 queries take 0.9 MB
STRIP = 2  # blocks side by side, to whose columns queries are projected at a time
QUERIES = 512
PAYS = 0.95
"""Arithmetic with kept keys over arithmetic here, from which on it is taken: at 256 channels from three maps of 32x32
and from two of 64x64 on. Kept keys took 1.1 times as long for seven maps of 32x32 and 1.2 for seven of 64x64, but 0.98
and 0.93 for the fewest: a little time while memory fills, for keys that are never kept."""
FAR = 1e30  # a sum of weights above it says that the shift was too small


@dataclass(frozen=True)
class Block:
    """The tokens of all maps in a rectangle of places.

    Attributes:
        x: Its columns.
        y: Its rows.
        keys: Memory with its codes, and a one: ``e = m + 1`` channels.
        values: Memory and a one, times what its map counts.
    """

    x: slice
    y: slice
    keys: Float[Tensor, "px f py e"]
    values: Float[Tensor, "e t"]

    @property
    def first(self) -> Block:
        """Its first column."""
        x = slice(self.x.start, self.x.start + 1)
        return Block(x, self.y, self.keys[:1], self.values[:, : self.keys[0, ..., 0].numel()])


@dataclass(frozen=True)
class SplitMemory:
    """What a frame reads of one object.

    Attributes:
        blocks: The maps.
        tails: Keys of the pointers in each layer, not rotated; None: no pointers.
        pointers: Values of the pointers, and a one.
    """

    blocks: tuple[Block, ...]
    tails: Float[Tensor, "layers heads p d"] | None
    pointers: Float[Tensor, "e p"] | None


class SplitRotary:
    """Cross-attention to maps of one size.

    Args:
        keys: The projections, the rotation and the codes of the maps.
    """

    def __init__(self, keys: MemoryKeys) -> None:
        self.keys, w = keys, keys.size[1]
        weight = by_head(torch.cat([keys.weight, keys.bias], 1), keys.heads)  # [layers heads e d]
        pairs = torch.view_as_complex(weight.unflatten(-1, (-1, 2)).contiguous())
        turns, half = keys.turns[:, 0], keys.turns.shape[-1] // 2
        self.half = 2 * half
        self.columns = RotaryCurves.of(pairs[..., :half], turns[:w, :half])
        self.rows = RotaryCurves.of(pairs[..., half:], turns[::w, half:])

    def pays(self, selection: Selection) -> bool:
        """Whether it is the faster way: keys are wider than memory, and maps enough to be worth ``A`` and ``B``."""
        (h, w), d, m = self.keys.size, self.keys.head_width, self.keys.weight.shape[1]
        tokens = len(selection.maps) * h * w
        turned = self.columns.multiply_adds + self.rows.multiply_adds
        return tokens * (d + m) > PAYS * (m + 1) * (3 * tokens + turned)

    def read(self, selection: Selection) -> SplitMemory:
        """Tokens of a selection that has maps."""
        (h, w), tokens = self.keys.size, self.keys.tokens
        slots = torch.tensor([slot for slot, _ in selection.maps])
        maps = [entry.features for _, entry in selection.maps if entry.features is not None]
        assert len(maps) == len(slots), "a selected memory map was dropped"
        values = torch.cat(maps).permute(3, 0, 2, 1)  # [w f h m]
        places = self.keys.places.unflatten(0, (h, w)).transpose(0, 1)[:, None]
        times = tokens.time[slots][:, None]
        weight = self.keys.weight.new_ones(len(slots))
        weight[slots == PROMPTED_SLOT] = math.exp(tokens.prompted_bias)
        blocks = []
        for left in range(0, w, SIDE):
            for top in range(0, h, SIDE):
                x, y = slice(left, min(left + SIDE, w)), slice(top, min(top + SIDE, h))
                memory = _with_one(values[x, :, y].to(self.keys.weight.dtype))
                keys, counted = memory.clone(), memory * weight[:, None, None]
                keys[..., :-1].add_(places[x, :, y]).add_(times)
                blocks.append(Block(x, y, keys, counted.flatten(0, 2).T.contiguous()))
        if not selection.pointers:
            return SplitMemory(tuple(blocks), None, None)
        tails, pointers = self.keys.pointers(selection)
        return SplitMemory(tuple(blocks), tails, _with_one(pointers).T)

    def attend(self, memory: SplitMemory, layer: int, query: Float[Tensor, "q c"]) -> Float[Tensor, "q attended"]:
        """What each head of a layer sees of the memory, not projected; ``query`` is scaled and rotated."""
        heads, queries = [], _Queries(self, memory.blocks[0], min(QUERIES, len(query)))
        for head, rows in enumerate(by_head(query, self.keys.heads)):
            tails = None if memory.tails is None else memory.tails[layer, head]
            pieces = []
            for part in rows.split(QUERIES):
                queries.project(layer, head, part.T)
                pieces.append(_attend(memory, queries, None if tails is None else tails @ part.T))
            heads.append(torch.cat(pieces))
        return torch.cat(heads, 1)


class _Queries:
    """Some queries of a head at work, in memory that is used again for the next: to allocate it takes as long."""

    def __init__(self, split: SplitRotary, block: Block, most: int) -> None:
        self.split, (h, w), e = split, split.keys.size, split.rows.width
        curves = (side.curves.shape[1] for side in (split.columns, split.rows))
        sizes = (block.keys[..., 0].numel(), *(r * e for r in curves), h * e, min(STRIP * SIDE, w) * e)
        self._scores, self._of_columns, self._of_rows, self._rows, self._strip = (
            split.keys.weight.new_empty(size * most) for size in sizes
        )

    def project(self, layer: int, head: int, query: Float[Tensor, "d q"]) -> None:
        """Take other queries."""
        columns, rows = self.split.columns, self.split.rows
        query_x, query_y = query.tensor_split([self.split.half])
        self._projected = columns.project(layer, head, query_x, self._of_columns)
        self.row = rows.mix(rows.project(layer, head, query_y, self._of_rows), slice(None), self._rows)
        self._places, self._column = slice(0), self.row[:0]

    def scores(self, block: Block) -> Float[Tensor, "t q"]:
        """Scores of a block, which the next ones overwrite."""
        width = STRIP * SIDE
        start = block.x.start // width * width
        places = slice(start, start + width)
        if places != self._places:
            self._places, self._column = places, self.split.columns.mix(self._projected, places, self._strip)
        column, (px, f, py, _) = self._column[block.x.start - start : block.x.stop - start], block.keys.shape
        scores = self._scores[: px * f * py * column.shape[2]].view(px, f * py, -1)
        torch.bmm(block.keys.flatten(1, 2), column, out=scores)
        by_row = scores.view(px * f, py, -1).transpose(0, 1)
        by_row.baddbmm_(block.keys.flatten(0, 1).transpose(0, 1), self.row[block.y])
        return scores.flatten(0, 1)


def _attend(memory: SplitMemory, queries: _Queries, flat: Float[Tensor, "p q"] | None) -> Float[Tensor, "q m"]:
    """What queries see; ``flat`` are their scores of the pointers."""
    first = queries.scores(memory.blocks[0].first).amax(0)
    queries.row[:, -1] -= first
    out = _sums(memory, queries, None if flat is None else flat - first)
    if not bool((out[-1] < FAR).all()):  # some scores are far above the first
        more = torch.stack([queries.scores(block).amax(0) for block in memory.blocks]).amax(0)
        if flat is not None:
            more = torch.maximum(more, (flat - first).amax(0))
        queries.row[:, -1] -= more
        out = _sums(memory, queries, None if flat is None else flat - first - more)
    return (out[:-1] / out[-1]).T


def _sums(memory: SplitMemory, queries: _Queries, flat: Float[Tensor, "p q"] | None) -> Float[Tensor, "e q"]:
    """Weighted sums of the values, and of the weights; scores come shifted."""
    out = queries.row.new_zeros(queries.row.shape[1:])
    for block in memory.blocks:
        out.addmm_(block.values, queries.scores(block).clamp_(min=LOWEST).exp_())
    if flat is not None and memory.pointers is not None:
        out.addmm_(memory.pointers, flat.clamp_(min=LOWEST).exp_())
    return out


def _with_one(x: Float[Tensor, "*b n m"]) -> Float[Tensor, "*b n e"]:
    """Tokens, and a channel of ones."""
    return torch.cat([x, torch.ones_like(x[..., :1])], -1)
