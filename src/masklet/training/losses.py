"""Losses on masks, predicted IoU and presence (paper, appendix C.2; weights of nano: docs/nano.md)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ..model.presence import gate_logits
from ..structures import Prediction


@dataclass(frozen=True)
class LossWeights:
    """Weights of the four terms, and where they are computed; the defaults are the paper's.

    Attributes:
        focal: Weight of the focal term of a mask.
        dice: Weight of its dice term.
        iou: Weight of the L1 error of the predicted IoU.
        presence: Weight of the cross-entropy of the object's presence.
        alpha: Share of the focal term that pixels of the object get.
        gamma: How much less easy pixels count.
        full_size: Logits are enlarged to the size of the input and compared with sharp masks; else they are compared
            at stride 4 with masks averaged over each cell, which is 16 times cheaper.
        all_masks: Every decoding supervises the single mask and the best of the three others, whichever were returned.
        gate: The masks of an object that the model calls absent count as empty, as officially: then presence alone
            gets a gradient.
    """

    focal: float = 20.0
    dice: float = 1.0
    iou: float = 1.0
    presence: float = 1.0
    alpha: float = 0.25
    gamma: float = 2.0
    full_size: bool = True
    all_masks: bool = False
    gate: bool = True


@dataclass(frozen=True)
class LossTerms:
    """The unweighted terms of one decoding, or their sum over decodings; means over the objects."""

    focal: Tensor
    dice: Tensor
    iou: Tensor
    presence: Tensor

    def __add__(self, other: LossTerms) -> LossTerms:
        return LossTerms(*(a + b for a, b in zip(self.each, other.each, strict=True)))

    @property
    def each(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Focal, dice, IoU, presence."""
        return self.focal, self.dice, self.iou, self.presence

    def total(self, weights: LossWeights) -> Tensor:
        """The weighted sum."""
        return (
            weights.focal * self.focal
            + weights.dice * self.dice
            + weights.iou * self.iou
            + weights.presence * self.presence
        )


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
    """IoU of each mask with the target; two empty masks agree."""
    p, t = (logits > 0).flatten(2), (target > 0.5).flatten(2)
    union = (p | t).sum(-1)
    return torch.where(union > 0, (p & t).sum(-1) / union.clamp(min=1), 1.0)


def prediction_loss(
    prediction: Prediction, target: Float[Tensor, "b 1 h w"], supervised: Float[Tensor, " b"], weights: LossWeights
) -> tuple[LossTerms, Float[Tensor, " b"]]:
    """Loss of one decoding: the best of the returned masks, the IoU of all of them, and presence.

    An object that is not in the frame supervises its presence alone. A frame whose truth is unknown supervises nothing.

    Args:
        prediction: What the decoder said.
        target: True mask at stride 4 or, for ``weights.full_size``, at the size of the input; empty where absent.
        supervised: 1 where the true mask is known.
        weights: Weights of the terms.

    Returns:
        The terms, averaged over supervised objects, and the IoU of the mask with the highest predicted IoU.

    Parity: MultiStepMultiMasksAndIous of training/loss_fns.py, where every object is supervised.
    """
    masks, guess = prediction.candidates, prediction.candidate_iou
    if weights.all_masks:
        assert prediction.masks is not None
        assert prediction.masks_iou is not None
        masks, guess = prediction.masks, prediction.masks_iou
    if weights.gate:
        masks = gate_logits(masks, prediction.presence)
    masks = masks.float()
    if weights.full_size:
        masks = F.interpolate(masks, target.shape[-2:], mode="bilinear")
    present = (target.flatten(1).amax(1) > 0.5).float() * supervised
    focal = focal_loss(masks, target, weights.alpha, weights.gamma)
    dice = dice_loss(masks, target)
    rivals = slice(1, None) if weights.all_masks else slice(None)
    best = (weights.focal * focal + weights.dice * dice)[:, rivals].detach().argmin(1, keepdim=True)
    chosen_focal, chosen_dice = (each[:, rivals].gather(1, best)[:, 0] for each in (focal, dice))
    if weights.all_masks:
        chosen_focal, chosen_dice = chosen_focal + focal[:, 0], chosen_dice + dice[:, 0]
    actual = true_iou(masks, target)
    error = (guess.float() - actual).abs().mean(1)
    presence = F.binary_cross_entropy_with_logits(prediction.presence.float(), present, reduction="none")
    objects = supervised.sum().clamp(min=1)
    terms = LossTerms(
        (present * chosen_focal).sum() / objects,
        (present * chosen_dice).sum() / objects,
        (present * error).sum() / objects,
        (supervised * presence).sum() / objects,
    )
    favourite = prediction.candidate_iou.argmax(1, keepdim=True)
    shown = actual[:, 1:] if weights.all_masks and prediction.candidates.shape[1] > 1 else actual
    return terms, shown.gather(1, favourite)[:, 0]
