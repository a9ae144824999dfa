from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from masklet.structures import Prediction
from masklet.training.losses import LossWeights, dice_loss, focal_loss, prediction_loss, true_iou


def target() -> torch.Tensor:
    """A square of 16 of 64 cells, and an empty one."""
    target = torch.zeros(2, 1, 8, 8)
    target[0, :, 2:6, 2:6] = 1
    return target


def prediction(masks: torch.Tensor, iou: torch.Tensor, presence: torch.Tensor) -> Prediction:
    return Prediction(masks[:, :1], iou[:, 0], presence, torch.zeros(len(masks), 2), masks, iou, masks, iou)


def test_focal_loss_is_cross_entropy_without_focus():
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = F.binary_cross_entropy_with_logits(logits, target().expand_as(logits), reduction="none").mean((2, 3))
    assert torch.allclose(focal_loss(logits, target(), alpha=0.5, gamma=0.0), plain / 2, atol=1e-6)
    focused = focal_loss(logits, target(), alpha=0.5, gamma=2.0)
    assert (focused < plain / 2).all()
    expected = torch.tensor(0.25 * 0.5**2 * 0.6931472)  # an unsure pixel of the object, alpha 0.25
    assert focal_loss(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1), 0.25, 2.0).item() == pytest.approx(
        expected.item()
    )


def test_focal_loss_is_least_at_a_soft_target():
    soft = torch.full((1, 1, 4, 4), 0.3)
    values = {
        p: focal_loss(torch.full((1, 1, 4, 4), p).logit(), soft, 0.5, 2.0).item() for p in (0.05, 0.2, 0.3, 0.4, 0.9)
    }
    assert min(values, key=values.get) == 0.3  # pyright: ignore[reportArgumentType]
    assert values[0.3] == pytest.approx(0, abs=1e-7)


def test_dice_loss():
    sure = target() * 200 - 100
    assert dice_loss(sure, target())[:, 0].tolist() == pytest.approx([0, 0], abs=1e-6)
    wrong = dice_loss(-sure, target())[:, 0]
    assert wrong[0].item() == pytest.approx(1 - 1 / (48 + 16 + 1), abs=1e-6)
    assert wrong[1].item() == pytest.approx(1 - 1 / (64 + 1), abs=1e-6)


def test_iou():
    logits = torch.full((2, 2, 8, 8), -1.0)
    logits[0, 0, 2:6, 2:6] = 1
    logits[0, 1, 2:6, :4] = 1  # 8 of 16 shared, 24 in all
    assert true_iou(logits, target()).tolist() == [[1.0, pytest.approx(8 / 24)], [1.0, 1.0]]


def test_the_best_of_three_and_the_single_mask_learn():
    masks = torch.zeros(1, 4, 8, 8)
    masks[0, 2] = target()[0, 0] * 8 - 4  # mask 2 is best of the three
    masks.requires_grad_()
    loss, iou = prediction_loss(
        prediction(masks, torch.full((1, 4), 0.5), torch.ones(1)), target()[:1], torch.ones(1), LossWeights()
    )
    loss.backward()
    assert masks.grad is not None
    assert [bool(masks.grad[0, i].any()) for i in range(4)] == [True, False, True, False]
    assert iou[0].tolist() == [0, 0, 1, 0]


def test_iou_of_all_four_learns_where_the_object_is():
    iou = torch.full((2, 4), 0.5, requires_grad=True)
    loss, _ = prediction_loss(
        prediction(torch.zeros(2, 4, 8, 8), iou, torch.ones(2)), target(), torch.ones(2), LossWeights()
    )
    loss.backward()
    assert iou.grad is not None
    assert iou.grad[0].tolist() == pytest.approx([1 / 8] * 4)  # a quarter each, of two objects
    assert not iou.grad[1].any()


def test_presence_learns_from_both_but_not_without_truth():
    presence = torch.zeros(3, requires_grad=True)
    masks = torch.zeros(3, 4, 8, 8)
    loss, _ = prediction_loss(
        prediction(masks, torch.zeros(3, 4), presence),
        torch.cat((target(), target()[:1])),
        torch.tensor([1.0, 1.0, 0.0]),
        LossWeights(),
    )
    loss.backward()
    assert presence.grad is not None
    assert presence.grad.tolist() == pytest.approx([-0.25, 0.25, 0.0])


def test_nothing_supervised_costs_nothing():
    loss, _ = prediction_loss(
        prediction(torch.zeros(2, 4, 8, 8), torch.zeros(2, 4), torch.ones(2)), target(), torch.zeros(2), LossWeights()
    )
    assert loss.item() == 0


def test_a_perfect_answer_costs_almost_nothing():
    masks = (target() * 40 - 20).expand(-1, 4, -1, -1)
    loss, _ = prediction_loss(
        prediction(masks, torch.ones(2, 4), torch.tensor([20.0, -20.0])), target(), torch.ones(2), LossWeights()
    )
    assert loss.item() == pytest.approx(0, abs=1e-4)
