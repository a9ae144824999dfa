"""Losses on the decoder's masks, predicted IoU and presence (paper, appendix C.2; weights of nano: docs/nano.md)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ..structures import Prediction


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms. SAM 2 uses focal 20 (alpha 0.25), dice 1; small models collapse to empty masks."""

    focal: float = 6.0
    dice: float = 1.5
    iou: float = 1.0
    presence: float = 1.0
    alpha: float = 0.5
    gamma: float = 2.0


def focal_loss(
    logits: Float[Tensor, "b m h w"], target: Float[Tensor, "b 1 h w"], alpha: float, gamma: float
) -> Float[Tensor, "b m"]:
    """Sigmoid focal loss for soft targets, averaged over pixels (arXiv 1708.02002; soft form of 2006.04388)."""
    target = target.expand_as(logits)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = (torch.sigmoid(logits) - target).abs() ** gamma
    side = alpha * target + (1 - alpha) * (1 - target)
    return (cross_entropy * weight * side).flatten(2).mean(-1)


def dice_loss(logits: Float[Tensor, "b m h w"], target: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b m"]:
    """One minus the soft Dice coefficient, smoothed by 1 pixel."""
    p, t = torch.sigmoid(logits).flatten(2), target.flatten(2)
    return 1 - (2 * (p * t).sum(-1) + 1) / (p.sum(-1) + t.sum(-1) + 1)


@torch.no_grad()
def true_iou(logits: Float[Tensor, "b m h w"], target: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b m"]:
    """IoU of each mask with the target."""
    p, t = (logits > 0).flatten(2), (target > 0.5).flatten(2)
    union = (p | t).sum(-1)
    return torch.where(union > 0, (p & t).sum(-1) / union.clamp(min=1), 1.0)


def prediction_loss(
    prediction: Prediction, target: Float[Tensor, "b 1 h4 w4"], supervised: Float[Tensor, " b"], weights: LossWeights
) -> tuple[Tensor, Float[Tensor, "b 4"]]:
    """Loss of one decoding: the best of three masks, the single mask, the IoU of all, and presence.

    Args:
        prediction: What the decoder said.
        target: Area-averaged true mask at stride 4; empty where the object is absent.
        supervised: 1 where the true mask is known.
        weights: Weights of the terms.

    Returns:
        The mean loss over supervised objects, and the IoU of each of the four masks.
    """
    masks, iou = prediction.masks, prediction.masks_iou
    assert masks is not None and iou is not None
    present = (target.flatten(1).amax(1) > 0.5).float() * supervised
    focal = focal_loss(masks, target, weights.alpha, weights.gamma)
    shape = weights.focal * focal + weights.dice * dice_loss(masks, target)
    best = shape[:, 1:].min(1).values + shape[:, 0]
    actual = true_iou(masks, target)
    guess = weights.iou * (iou - actual).abs().mean(1)
    presence = F.binary_cross_entropy_with_logits(prediction.presence, present, reduction="none")
    total = present * (best + guess) + weights.presence * presence * supervised
    return total.sum() / supervised.sum().clamp(min=1), actual
