"""Reads memory while tracking: the numbers of :meth:`~masklet.model.sam2.Sam2.condition`, with less work.

The readable form is :mod:`~masklet.model.memory_attention`. What saves work, none of it an approximation:

- A row of a softmax sums to one: ``softmax(Q K)(M W + b) = (softmax(Q K) M) W + b``. Attention runs over the narrow
  memory itself, and one matrix is the value and the output projection together.
- Keys are computed once per stored map (:mod:`~masklet.model.memory_keys`).
- After self-attention a query needs no other: they go in pieces from cross-attention to MLP, and scores exist in tiles
  only (:mod:`~masklet.model.streamed_attention`).
- Up to its first look at memory a frame is the same for every object.
- Where it pays, there are no keys at all (:mod:`~masklet.model.split_rotary`).

``pool`` is an approximation on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import FrameFeatures, Selection
from .memory_attention import INPUT_POSITION_SCALE, MemoryAttentionLayer
from .memory_keys import Memory, MemoryKeys, by_head, turn
from .packed_linear import PackedLinear
from .position import sine_map
from .sam2 import Sam2
from .split_rotary import SplitRotary
from .streamed_attention import streamed_attention

PIECE = 1024  # queries

Attend = Callable[[Tensor], Tensor]
"""From rotated queries [q c] to what each head sees of the memory [q attended]."""


@dataclass(frozen=True)
class Folded:
    """A layer of memory attention, its matrices put together.

    Attributes:
        layer: The layer, for its norms.
        inside: Query, key and value of self-attention.
        query: Query of cross-attention, scaled.
        out: From memory, as each head attended to it, to the embedding.
        inside_out: The output of self-attention.
        mlp: Its two layers.
    """

    layer: MemoryAttentionLayer
    inside: PackedLinear
    query: PackedLinear
    out: PackedLinear
    inside_out: PackedLinear
    mlp: tuple[PackedLinear, PackedLinear]

    @staticmethod
    def of(layer: MemoryAttentionLayer) -> Folded:
        """Fold a layer; later changes of its weights are not seen."""
        own, cross = layer.self_attention, layer.cross_attention
        parts = (own.query, own.key, own.value)
        inside = torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts])
        scale = (cross.query.out_features // cross.heads) ** -0.5
        last = cross.out.weight.double()
        value = cross.value.weight.double().unflatten(0, (cross.heads, -1))  # [heads d m]
        weight = (last.unflatten(1, (cross.heads, -1)).transpose(0, 1) @ value).transpose(0, 1).flatten(1)
        bias = last @ cross.value.bias.double() + cross.out.bias.double()
        query = cross.query.weight * scale, cross.query.bias * scale
        out = weight.to(inside[0].dtype), bias.to(inside[0].dtype)
        first, second = layer.mlp.layers
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        own_in, query_in, memory_out = (PackedLinear.matrix(*one, PIECE) for one in (inside, query, out))
        inside_out, *mlp = (PackedLinear.of(one, PIECE) for one in (own.out, first, second))
        return Folded(layer, own_in, query_in, memory_out, inside_out, (mlp[0], mlp[1]))


@dataclass(frozen=True)
class Look:
    """What all objects of a frame share: tokens after the first self-attention, and their queries to memory."""

    embedding: Float[Tensor, "1 c h w"]
    x: Float[Tensor, "n c"]
    query: Float[Tensor, "n c"]


class MemoryReader:
    """Conditions the frames of one session on memory.

    It keeps keys of what the last frame read, and what the objects of a frame share. Neither is state: without them
    the numbers are the same to the last bit. Objects do not change each other's. One thread at a time.

    Args:
        model: Its weights must not change any more.
        pool: Read cells of ``pool`` x ``pool`` places of a map as one: an approximation, 1 for none.
    """

    def __init__(self, model: Sam2, pool: int = 1) -> None:
        self.model, self.pool, attention = model, pool, model.memory_attention
        with torch.inference_mode():
            self.layers = [Folded.of(layer) for layer in attention.layers if isinstance(layer, MemoryAttentionLayer)]
        self.heads = self.layers[0].layer.cross_attention.heads
        self.native = attention.head_width == model.config.memory_width  # torch's kernel: keys as wide as values
        self.splits = pool == 1 and attention.head_width > model.config.memory_width
        self._keys: MemoryKeys | None = None
        self._split: SplitRotary | None = None
        self._look: Look | None = None

    @staticmethod
    def serves(model: Sam2) -> bool:
        """Whether it is the faster way for a model: on a CPU, in at least single precision."""
        return model.full_precision_on_cpu

    @property
    def nbytes(self) -> int:
        """Bytes of the keys that are kept."""
        return 0 if self._keys is None else self._keys.nbytes

    def clear(self) -> None:
        """Let go of everything that is kept."""
        self._keys = self._split = self._look = None

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    def condition(self, features: FrameFeatures, selections: Sequence[Selection]) -> Float[Tensor, "b c h w"]:
        """The embedding of a frame in the light of the memory of each object, in the type of the weights always.

        Args:
            features: Features of one frame.
            selections: What the frame may read of each object.
        """
        rows = []
        for selection in selections:
            if selection.empty:
                rows.append(self.model.condition(features, selection)[0].flatten(1).T.to(self.model.dtype))
            else:
                keys, look = self._begin(features.embedding)
                rows.append(self._conditioned(keys, look, selection))
        return torch.stack(rows).transpose(1, 2).unflatten(2, features.embedding.shape[-2:])

    def _begin(self, embedding: Float[Tensor, "1 c h w"]) -> tuple[MemoryKeys, Look]:
        """What the objects of a frame share."""
        _, c, h, w = embedding.shape
        if self._keys is None or self._keys.size != (h, w):
            crosses = [folded.layer.cross_attention for folded in self.layers]
            theta = self.model.memory_attention.theta
            self._keys = MemoryKeys(self.model.memory_tokens, crosses, theta, (h, w), self.pool)
            self._split = SplitRotary(self._keys) if self.splits else None
        if self._look is None or self._look.embedding is not embedding:
            self._keys.next_frame()
            x = embedding.to(self.model.dtype) + INPUT_POSITION_SCALE * sine_map(h, w, c).to(self.model.dtype)
            x = x[0].flatten(1).T.contiguous()
            x = self._attend_inside(self.layers[0], x, self._keys.turns)
            self._look = Look(embedding, x, self._query(self.layers[0], x, self._keys.turns))
        return self._keys, self._look

    def _attention(self, keys: MemoryKeys, selection: Selection) -> Callable[[int], Attend]:
        """Attention to the memory of an object, by layer."""
        if (split := self._split) is not None and split.pays(selection):
            tokens = split.read(selection)
            return lambda layer: partial(split.attend, tokens, layer)
        memory = keys.read(selection)
        room = memory.values.new_empty(self.heads, len(memory.values), keys.head_width)

        def laid(layer: int) -> Attend:
            keys.lay(memory, layer, room)
            return partial(self._attend_memory, memory, room)

        return laid

    def _conditioned(self, keys: MemoryKeys, look: Look, selection: Selection) -> Float[Tensor, "n c"]:
        x, query, attention = look.x.clone(), look.query, self._attention(keys, selection)
        for number, folded in enumerate(self.layers):
            if number:
                x = self._attend_inside(folded, x, keys.turns)
                query = self._query(folded, x, keys.turns)
            attend = attention(number)
            for piece, asked in zip(x.split(PIECE), query.split(PIECE), strict=True):
                piece += folded.out(attend(asked))
                first, second = folded.mlp
                piece += second(first(folded.layer.norm3(piece)).relu_())
        return self.model.memory_attention.norm(x)

    def _query(self, folded: Folded, x: Float[Tensor, "n c"], turns: Tensor) -> Float[Tensor, "n c"]:
        query = folded.query(folded.layer.norm2(x))
        turn(query, turns)
        return query

    def _attend_inside(self, folded: Folded, x: Float[Tensor, "n c"], turns: Tensor) -> Float[Tensor, "n c"]:
        """Self-attention and its residual."""
        n, c = x.shape
        inside = folded.inside(folded.layer.norm1(x))
        turn(inside[:, : 2 * c], turns)
        query, key, value = inside.view(n, 3, self.heads, -1).permute(1, 2, 0, 3)[:, None]
        y = F.scaled_dot_product_attention(query, key, value)
        return x + folded.inside_out(y[0].transpose(0, 1).flatten(1))

    def _attend_memory(
        self, memory: Memory, keys: Float[Tensor, "heads k d"], query: Float[Tensor, "q c"]
    ) -> Float[Tensor, "q attended"]:
        """What each head sees of the memory, not projected."""
        queries, values, bias = by_head(query, self.heads), memory.values, memory.bias
        if not self.native:
            return torch.cat([streamed_attention(q, k, values, bias) for q, k in zip(queries, keys, strict=True)], 1)
        values = values.expand(1, self.heads, -1, -1)
        mask = None if bias is None else bias.expand(1, self.heads, len(query), -1)
        y = F.scaled_dot_product_attention(queries[None], keys[None], values, mask, scale=1.0)
        return y[0].transpose(0, 1).flatten(1)
