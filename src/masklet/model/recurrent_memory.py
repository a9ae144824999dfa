"""Recurrent memory: a convolutional GRU between memory encoder and memory bank (paper, table 12, an ablation).

The paper does not give its layout. This is the plain one of arXiv 1511.06432; the state is the map that the bank holds
of the frame before.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

OPEN = 2.0  # bias of an update gate that lets 88 % of the new map in


class RecurrentMemory(nn.Module):
    """A GRU with 3x3 convolutions; state, input and output are memory maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * width, 2 * width, 3, padding=1)  # update, reset
        self.candidate = nn.Conv2d(2 * width, width, 3, padding=1)

    def forward(
        self, memory: Float[Tensor, "b m h w"], state: Float[Tensor, "b m h w"] | None = None
    ) -> Float[Tensor, "b m h w"]:
        """The new state; without an earlier one, from zeros."""
        state = torch.zeros_like(memory) if state is None else state.to(memory.dtype)
        update, reset = self.gates(torch.cat((memory, state), dim=1)).sigmoid().chunk(2, dim=1)
        new = torch.tanh(self.candidate(torch.cat((memory, reset * state), dim=1)))
        return (1 - update) * state + update * new

    @torch.no_grad()
    def pass_through(self) -> None:
        """Start with the new map, squashed to -1..1, and little of the state."""
        width = self.candidate.out_channels
        assert self.gates.bias is not None
        assert self.candidate.bias is not None
        self.gates.bias[:width].fill_(OPEN)
        self.candidate.weight.zero_()
        nn.init.dirac_(self.candidate.weight[:, :width])
        self.candidate.bias.zero_()
