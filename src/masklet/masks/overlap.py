"""One object a pixel: keep the highest-scoring mask where masks overlap."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SUPPRESSED_LOGIT = -10.0


def suppress_overlaps(logits: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Let only the highest-scoring object keep its logit at each pixel; push the others down to -10 or below.

    The first of equal objects keeps the pixel. A single object is returned as it is.

    Parity: same rule as ``_apply_non_overlapping_constraints`` (sam2/modeling/sam2_base.py:891-909).

    Raises:
        ValueError: The logits are not ``n 1 h w``.
    """
    if logits.ndim != 4 or logits.shape[1] != 1:
        raise ValueError(f"Expected logits of n objects, shape (n, 1, h, w), got {tuple(logits.shape)}.")
    count = logits.shape[0]
    if count <= 1:
        return logits
    winner = logits.argmax(dim=0, keepdim=True)  # [1 1 h w]
    mine = torch.arange(count, device=logits.device)[:, None, None, None]
    return torch.where(winner == mine, logits, logits.clamp(max=SUPPRESSED_LOGIT))
