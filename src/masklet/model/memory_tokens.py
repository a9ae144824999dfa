"""Memory tokens: a selection of the bank becomes keys and values with position and time codes (paper, section 4).

Parity: sam2/modeling/sam2_base.py:497-676 (the part after the frames are chosen).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..structures import Selection
from .memory_bank import PROMPTED_SLOT
from .position import sine_code, sine_map


@dataclass(frozen=True)
class Tokens:
    """Memory as tokens.

    Attributes:
        values: Maps, then pointers.
        codes: Position and time of each.
        pointers: The last so many tokens have no place in the image.
        bias: Added to the scores of each token in attention; None: nothing.
    """

    values: Float[Tensor, "b n m"]
    codes: Float[Tensor, "b n m"]
    pointers: int
    bias: Float[Tensor, " n"] | None = None


class MemoryTokens(nn.Module):
    """Lays a selection out as tokens and holds the learned time codes.

    Row ``memories - 1`` of ``time`` belongs to prompted frames, row ``i`` to the frame ``i + 1`` steps back. Version
    2.1 also codes how far away a pointer's frame is. Maps of prompted frames count ``prompted_weight`` times.
    """

    def __init__(
        self, width: int, memory_width: int, memories: int, pointer_time: bool, prompted_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.prompted_bias = math.log(prompted_weight)
        self.time = nn.Parameter(torch.zeros(memories, memory_width))
        self.pointer_time = nn.Linear(width, memory_width) if pointer_time else None
        self.width, self.memory_width = width, memory_width
        nn.init.trunc_normal_(self.time, std=0.02)

    def forward(self, selection: Selection) -> Tokens:
        """Tokens of the maps in their order, then of the pointers; each pointer is split into narrow tokens."""
        values, codes = [], []
        for slot, entry in selection.maps:
            assert entry.features is not None, "a selected memory map was dropped"
            features = entry.features.to(self.time.dtype)
            h, w = features.shape[-2:]
            code = sine_map(h, w, self.memory_width).to(features) + self.time[slot][:, None, None]
            values.append(features.flatten(2).transpose(1, 2))
            codes.append(code.flatten(2).transpose(1, 2).expand(features.shape[0], -1, -1))
        pointers = 0
        if selection.pointers:
            stack = torch.stack([entry.pointer for _, entry in selection.pointers], dim=1).to(self.time.dtype)
            b, frames, _ = stack.shape
            split = self.width // self.memory_width
            values.append(stack.reshape(b, frames * split, self.memory_width))
            codes.append(self._pointer_codes(selection, split).expand(b, -1, -1))
            pointers = frames * split
        return Tokens(torch.cat(values, dim=1), torch.cat(codes, dim=1), pointers, self._bias(selection, values))

    def _bias(self, selection: Selection, values: list[Tensor]) -> Float[Tensor, " n"] | None:
        if not self.prompted_bias:
            return None
        prompted = [slot == PROMPTED_SLOT for slot, _ in selection.maps] + [False] * bool(selection.pointers)
        parts = [v.new_full((v.shape[1],), self.prompted_bias * p) for v, p in zip(values, prompted, strict=True)]
        return torch.cat(parts)

    def _pointer_codes(self, selection: Selection, split: int) -> Float[Tensor, "1 n m"]:
        offsets = [offset for offset, _ in selection.pointers]
        if self.pointer_time is None:
            return self.time.new_zeros(1, len(offsets) * split, self.memory_width)
        steps = torch.tensor(offsets, dtype=torch.float32, device=self.time.device) / selection.pointer_span
        return self.pointer_time(sine_code(steps, self.width).to(self.time.dtype)).repeat_interleave(split, dim=0)[None]
