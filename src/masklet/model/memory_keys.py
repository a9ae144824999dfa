"""Keys and values of memory in every layer of memory attention, computed once per stored map.

Projection and rotation are linear: the key of a memory token is that of its map and place plus that of its slot. The
first is kept while frames go on reading the map, the second is the same for all maps of a slot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ..structures import MemoryEntry, Selection
from .attention import Attention
from .memory_bank import PROMPTED_SLOT
from .memory_tokens import MemoryTokens
from .position import sine_map
from .rope import axial_rotation

KEPT_BYTES = 64 * 2**20
"""What kept keys may take. Large inputs gain least from them and need most: 17 MB a map at 1024 pixels."""


@dataclass(frozen=True)
class KeptMap:
    """A memory map as tokens, and its rotated keys in each layer but for what its slot adds."""

    source: Float[Tensor, "1 m h w"]
    values: Float[Tensor, "n m"]
    keys: Float[Tensor, "layers heads n d"]

    @property
    def nbytes(self) -> int:
        """Bytes of what was computed."""
        return self.values.nbytes + self.keys.nbytes


@dataclass(frozen=True)
class Memory:
    """What a frame reads of one object.

    Attributes:
        maps: Slot and tokens of each map.
        values: Tokens of the maps, then of the pointers.
        tails: Keys of the pointers in each layer; they have no place and are not rotated.
        bias: Added to the scores of each token in attention; None: nothing.
    """

    maps: tuple[tuple[int, KeptMap], ...]
    values: Float[Tensor, "k m"]
    tails: Float[Tensor, "layers heads p d"] | None
    bias: Float[Tensor, " k"] | None


class MemoryKeys:
    """Keys for maps of one size; they are kept from one frame to the next, no longer.

    Args:
        tokens: The time codes.
        crosses: Cross-attention of each layer.
        theta: Base of the rotation.
        size: Height and width of the maps.
        pool: Cells of ``pool`` x ``pool`` places become one token that counts for all of them, with the mean of their
            rotated keys and of their values: an approximation (arXiv 2411.18933). 1: none.
    """

    def __init__(
        self, tokens: MemoryTokens, crosses: Sequence[Attention], theta: float, size: tuple[int, int], pool: int = 1
    ) -> None:
        self.tokens, self.size, self.heads, self.pool = tokens, size, crosses[0].heads, pool
        self.weight = torch.stack([cross.key.weight.T for cross in crosses])  # [layers m c]
        self.bias = torch.stack([cross.key.bias for cross in crosses])[:, None]  # [layers 1 c]
        self.head_width = self.weight.shape[2] // self.heads
        dtype, (h, w) = self.weight.dtype, size
        self.places = sine_map(h, w, self.weight.shape[1])[0].flatten(1).T.to(dtype)  # [n m]
        rotation = axial_rotation(h, w, self.head_width, theta)
        turns = torch.complex(rotation.cos.to(dtype), rotation.sin.to(dtype))  # [n d/2]
        self.turns = turns[:, None]
        slots = by_head(tokens.time @ self.weight + self.bias, self.heads).transpose(1, 2)  # [layers slots heads d]
        pairs, half = torch.view_as_complex(slots.unflatten(-1, (-1, 2)))[..., None, None, :], turns.shape[1] // 2
        # The first half of the pairs turns with x alone, the second with y alone.
        self.slots_x = torch.view_as_real(pairs[..., :half] * turns[:w, :half]).flatten(
            -2
        )  # [layers slots heads 1 w _]
        self.slots_y = torch.view_as_real(pairs[..., half:] * turns[::w, None, half:]).flatten(-2)  # [... h 1 _]
        self.slots_x = self.slots_x.unflatten(-2, (-1, pool)).mean(-2)
        self.slots_y = self.slots_y.unflatten(-3, (-1, pool)).mean(-3)
        self.cells = (h // pool, w // pool)
        self._kept: dict[int, KeptMap] = {}
        self._read: set[int] = set()

    @property
    def nbytes(self) -> int:
        """Bytes of the keys that are kept."""
        return sum(kept.nbytes for kept in self._kept.values())

    def next_frame(self) -> None:
        """Let go of the keys that were not read since the last call."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._read}
        self._read = set()

    def read(self, selection: Selection) -> Memory:
        """Tokens of a selection that is not empty."""
        maps = tuple((slot, self._map(entry)) for slot, entry in selection.maps)
        added, cell = self.tokens.prompted_bias, 2 * math.log(self.pool)
        parts = [kept.values for _, kept in maps]
        biases = [cell + added * (slot == PROMPTED_SLOT) for slot, _ in maps]
        tails = None
        if selection.pointers:
            tails, pointers = self.pointers(selection)
            parts.append(pointers)
            biases.append(0.0)
        bias = None
        if any(biases):
            bias = torch.cat([p.new_full((len(p),), b) for p, b in zip(parts, biases, strict=True)])
        return Memory(maps, torch.cat(parts), tails, bias)

    def pointers(self, selection: Selection) -> tuple[Float[Tensor, "layers heads p d"], Float[Tensor, "p m"]]:
        """Keys in each layer and values of the pointers of a selection."""
        pointers = self.tokens(replace(selection, maps=()))
        tails = by_head((pointers.values + pointers.codes)[0] @ self.weight + self.bias, self.heads)
        return tails, pointers.values[0]

    def lay(self, memory: Memory, layer: int, keys: Float[Tensor, "heads k d"]) -> None:
        """Write the keys of a layer one after the other into ``keys``."""
        shape, n = (self.heads, *self.cells, 2, -1), self.cells[0] * self.cells[1]
        for j, (slot, kept) in enumerate(memory.maps):
            source, target = kept.keys[layer].view(shape), keys[:, j * n : (j + 1) * n].view(shape)
            torch.add(source[..., 0, :], self.slots_x[layer, slot], out=target[..., 0, :])
            torch.add(source[..., 1, :], self.slots_y[layer, slot], out=target[..., 1, :])
        if memory.tails is not None:
            keys[:, len(memory.maps) * n :] = memory.tails[layer]

    def _map(self, entry: MemoryEntry) -> KeptMap:
        source = entry.features
        assert source is not None, "a selected memory map was dropped"
        self._read.add(id(source))  # no other tensor has this number while the source is kept
        kept = self._kept.get(id(source))
        if kept is None:
            values = source[0].flatten(1).T.to(self.weight.dtype).contiguous()
            keys = (values + self.places) @ self.weight
            turn(keys, self.turns)
            kept = KeptMap(source, self._pooled(values), by_head(self._pooled(keys), self.heads).contiguous())
            if self.nbytes + kept.nbytes <= KEPT_BYTES:
                self._kept[id(source)] = kept
        return kept

    def _pooled(self, x: Float[Tensor, "*b n c"]) -> Float[Tensor, "*b k c"]:
        """Means of cells."""
        if self.pool == 1:
            return x
        (h, w), p = self.cells, self.pool
        return x.unflatten(-2, (h, p, w, p)).mean((-4, -2)).flatten(-3, -2)


def by_head(x: Float[Tensor, "*b n c"], heads: int) -> Float[Tensor, "*b heads n d"]:
    """Each head's share of the channels."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def turn(x: Float[Tensor, "*b n c"], turns: Complex[Tensor, "n 1 half"]) -> None:
    """Rotate pairs of adjacent channels of each head in place, as :func:`~masklet.model.rope.rotate` does."""
    torch.view_as_complex(x.unflatten(-1, (-1, turns.shape[-1], 2))).mul_(turns)
