from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from masklet.structures import Prediction
from masklet.training.losses import LossTerms, LossWeights, dice_loss, focal_loss, prediction_loss, true_iou

NANO = LossWeights(focal=6.0, dice=1.5, alpha=0.5, full_size=False, all_masks=True, gate=False)


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


def decoded(masks: torch.Tensor, iou: torch.Tensor, several: bool) -> Prediction:
    """An answer of four masks, of which the last three or the first were returned."""
    shown = slice(1, None) if several else slice(1)
    here, pointer = torch.ones(len(masks)), torch.zeros(len(masks), 2)
    return Prediction(masks[:, :1], iou[:, 0], here, pointer, masks[:, shown], iou[:, shown], masks, iou)


def cost(answer: Prediction, truth: torch.Tensor, supervised: torch.Tensor, weights: LossWeights = NANO):
    terms, iou = prediction_loss(answer, truth, supervised, weights)
    return terms.total(weights), iou


def test_the_best_of_three_and_the_single_mask_learn():
    masks = torch.zeros(1, 4, 8, 8)
    masks[0, 2] = target()[0, 0] * 8 - 4  # mask 2 is best of the three
    masks.requires_grad_()
    guess = torch.tensor([[0.5, 0.4, 0.6, 0.5]])
    answer = Prediction(
        masks[:, :1], guess[:, 0], torch.ones(1), torch.zeros(1, 2), masks[:, 1:], guess[:, 1:], masks, guess
    )
    loss, iou = cost(answer, target()[:1], torch.ones(1))
    loss.backward()
    assert masks.grad is not None
    assert [bool(masks.grad[0, i].any()) for i in range(4)] == [True, False, True, False]
    assert iou.tolist() == [1.0]  # of the one that is thought best


def test_only_what_was_returned_learns_in_the_paper():
    masks = torch.zeros(1, 4, 8, 8)
    masks[0, 3] = target()[0, 0] * 8 - 4
    masks.requires_grad_()
    guess = torch.full((1, 4), 0.5)
    three = Prediction(
        masks[:, :1], guess[:, 0], torch.ones(1), torch.zeros(1, 2), masks[:, 1:], guess[:, 1:], masks, guess
    )
    loss, _ = cost(three, target()[:1], torch.ones(1), LossWeights())
    (grad,) = torch.autograd.grad(loss, masks)
    assert [bool(grad[0, i].any()) for i in range(4)] == [False, False, False, True]
    one = Prediction(
        masks[:, :1], guess[:, 0], torch.ones(1), torch.zeros(1, 2), masks[:, :1], guess[:, :1], masks, guess
    )
    loss, _ = cost(one, target()[:1], torch.ones(1), LossWeights())
    (grad,) = torch.autograd.grad(loss, masks)
    assert [bool(grad[0, i].any()) for i in range(4)] == [True, False, False, False]


def test_full_size_losses_enlarge_the_logits():
    truth = target().repeat_interleave(4, 2).repeat_interleave(4, 3)
    masks = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    row = torch.full((2, 1), 0.5)
    answer = Prediction(masks, row[:, 0], torch.ones(2), torch.zeros(2, 2), masks, row)
    terms, _ = prediction_loss(answer, truth, torch.ones(2), LossWeights())
    large = F.interpolate(masks, (32, 32), mode="bilinear")[:1]
    assert terms.focal.item() == pytest.approx(focal_loss(large, truth[:1], 0.25, 2.0).item() / 2)
    assert terms.dice.item() == pytest.approx(dice_loss(large, truth[:1]).item() / 2)


def test_an_object_that_is_called_absent_teaches_presence_alone():
    masks = torch.zeros(1, 3, 8, 8, requires_grad=True)
    presence = torch.full((1,), -1.0, requires_grad=True)
    row = torch.full((1, 3), 0.5)
    answer = Prediction(masks[:, :1], row[:, 0], presence, torch.zeros(1, 2), masks, row)
    loss, _ = cost(answer, target()[:1], torch.ones(1), LossWeights(full_size=False))
    in_masks, in_presence = torch.autograd.grad(loss, (masks, presence))
    assert not in_masks.any()
    assert in_presence.item() < 0
    loss, _ = cost(answer, target()[:1], torch.ones(1), LossWeights(full_size=False, gate=False))
    assert torch.autograd.grad(loss, masks)[0].any()


def test_iou_of_all_four_learns_where_the_object_is():
    iou = torch.full((2, 4), 0.5, requires_grad=True)
    loss, _ = cost(prediction(torch.zeros(2, 4, 8, 8), iou, torch.ones(2)), target(), torch.ones(2))
    loss.backward()
    assert iou.grad is not None
    assert iou.grad[0].tolist() == pytest.approx([1 / 8] * 4)  # a quarter each, of two objects
    assert not iou.grad[1].any()


def test_presence_learns_from_both_but_not_without_truth():
    presence = torch.zeros(3, requires_grad=True)
    loss, _ = cost(
        prediction(torch.zeros(3, 4, 8, 8), torch.zeros(3, 4), presence),
        torch.cat((target(), target()[:1])),
        torch.tensor([1.0, 1.0, 0.0]),
    )
    loss.backward()
    assert presence.grad is not None
    assert presence.grad.tolist() == pytest.approx([-0.25, 0.25, 0.0])


def test_nothing_supervised_costs_nothing():
    loss, _ = cost(prediction(torch.zeros(2, 4, 8, 8), torch.zeros(2, 4), torch.ones(2)), target(), torch.zeros(2))
    assert loss.item() == 0


def test_a_perfect_answer_costs_almost_nothing():
    masks = (target() * 40 - 20).expand(-1, 4, -1, -1)
    for weights in (NANO, LossWeights()):
        loss, _ = cost(
            prediction(masks, torch.ones(2, 4), torch.tensor([20.0, -20.0])), target(), torch.ones(2), weights
        )
        assert loss.item() == pytest.approx(0, abs=1e-4)


def test_terms_add_up():
    one = LossTerms(*(torch.tensor(float(i)) for i in range(1, 5)))
    both = one + one
    assert [float(t) for t in both.each] == [2, 4, 6, 8]
    assert float(both.total(LossWeights())) == 40 + 4 + 6 + 8
