"""Attention of one head in tiles with a running softmax (arXiv 2205.14135): the scores of all pairs never exist.

torch's own kernel does this where keys and values are equally wide, and falls back to the full matrix where they are
not.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

TILE = (1024, 512)  # queries and keys: matrix products run at full speed, and a tile of scores stays in the cache
LOWEST = -87.0  # exp of less is subnormal, which is no weight to speak of and makes products several times slower


def streamed_attention(
    query: Float[Tensor, "q d"],
    key: Float[Tensor, "k d"],
    value: Float[Tensor, "k m"],
    bias: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, "q m"]:
    """``softmax(query key^T + bias) value``; for inference, it has no backward pass."""
    room = query.new_empty(min(TILE[0], len(query)) * min(TILE[1], len(key)))
    return torch.cat([_rows(rows, key, value, bias, room) for rows in query.split(TILE[0])])


def _rows(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, room: Tensor) -> Tensor:
    """The same for the queries of one row of tiles; ``room`` is for a tile of scores."""
    out = query.new_zeros(len(query), value.shape[1])
    highest = query.new_full((len(query), 1), -torch.inf)
    total = torch.zeros_like(highest)
    for first in range(0, len(key), TILE[1]):
        part = slice(first, first + TILE[1])
        scores = room[: len(query) * len(key[part])].view(len(query), -1)
        if bias is None:
            torch.mm(query, key[part].T, out=scores)
        else:
            torch.addmm(bias[part], query, key[part].T, out=scores)
        before, highest = highest, torch.maximum(highest, scores.amax(1, keepdim=True))
        kept = (before - highest).exp_()  # what earlier sums are worth under the new maximum
        scores.sub_(highest).clamp_(min=LOWEST).exp_()
        total.mul_(kept).add_(scores.sum(1, keepdim=True))
        out.mul_(kept).addmm_(scores, value[part])
    return out.div_(total)
