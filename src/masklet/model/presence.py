"""Absence: what a mask, a pointer and a memory become where the object is judged not to be in the frame.

The mask and the pointer are replaced outright, the memory map is marked by adding a learned code (version 2.1).
Parity: sam2/modeling/sam2_base.py:359-368, 392-403, 448-455, 716-724.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

ABSENT_LOGIT = -1024.0
CERTAIN = 10.0  # presence logit of a frame whose mask was given


def gate_logits(logits: Float[Tensor, "b m h w"], presence: Float[Tensor, " b"]) -> Float[Tensor, "b m h w"]:
    """Logits of present objects; ``ABSENT_LOGIT`` for the others."""
    return torch.where((presence > 0)[:, None, None, None], logits, ABSENT_LOGIT)


def gate_pointer(
    pointer: Float[Tensor, "b c"], presence: Float[Tensor, " b"], absent: Float[Tensor, "1 c"]
) -> Float[Tensor, "b c"]:
    """Pointers of present objects; the learned no-object pointer for the others."""
    return torch.where((presence > 0)[:, None], pointer, absent)


def mark_absent(
    memory: Float[Tensor, "b c h w"], presence: Float[Tensor, " b"], code: Float[Tensor, "1 c"]
) -> Float[Tensor, "b c h w"]:
    """Memory maps, with the no-object code added at every place where the object is absent."""
    absent = (presence <= 0).to(memory.dtype)
    return memory + absent[:, None, None, None] * code[:, :, None, None]
