"""Which of the decoder's four masks is the answer: one mask, or the best of three for an ambiguous prompt.

Parity: sam2/modeling/sam/mask_decoder.py:145-166 and 249-295, sam2/modeling/sam2_base.py:370-390 and 881-889.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

STABILITY_OFFSET = 0.05
STABILITY_THRESHOLD = 0.98


@dataclass(frozen=True)
class Choice:
    """Masks that are returned, and the one among all four that was picked with the token it is remembered by."""

    candidates: Float[Tensor, "b m h w"]
    candidate_iou: Float[Tensor, "b m"]
    logits: Float[Tensor, "b 1 h w"]
    iou: Float[Tensor, " b"]
    token: Float[Tensor, "b c"]


def is_ambiguous(points: int) -> bool:
    """Whether a prompt of so many points (a box counts as two) asks for three candidates: none or one click."""
    return points <= 1


def stability(logits: Float[Tensor, "b n h w"], offset: float = STABILITY_OFFSET) -> Float[Tensor, "b n"]:
    """Area above ``+offset`` over the area above ``-offset``; 1 where both are empty."""
    inner = (logits > offset).flatten(2).sum(-1).float()
    outer = (logits > -offset).flatten(2).sum(-1).float()
    return torch.where(outer > 0, inner / outer, 1.0)


def choose(
    masks: Float[Tensor, "b 4 h w"],
    iou: Float[Tensor, "b 4"],
    tokens: Float[Tensor, "b 4 c"],
    *,
    ambiguous: bool,
    stability_fallback: bool,
) -> Choice:
    """Pick a mask: mask 0 is for clear prompts, masks 1..3 for ambiguous ones.

    With ``stability_fallback`` an unstable mask 0 gives way to the best of the three; its token stays, as officially.
    """
    rows = torch.arange(masks.shape[0], device=masks.device)
    best = iou[:, 1:].argmax(1) + 1
    if ambiguous:
        return Choice(masks[:, 1:], iou[:, 1:], masks[rows, best][:, None], iou[rows, best], tokens[rows, best])
    index = torch.zeros_like(best)
    if stability_fallback:
        index = torch.where(stability(masks[:, :1])[:, 0] >= STABILITY_THRESHOLD, index, best)
    picked, picked_iou = masks[rows, index][:, None], iou[rows, index]
    return Choice(picked, picked_iou[:, None], picked, picked_iou, tokens[:, 0])
