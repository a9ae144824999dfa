from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from masklet.structures import Prediction
from masklet.training.user import Interaction, User, draw_plan, seen_masks

AT_STRIDE_4 = Interaction(stride=4, keep_logits=1.0, from_truth=0.0)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def truth() -> torch.Tensor:
    target = torch.zeros(2, 1, 16, 16)
    target[0, :, 4:12, 2:8] = 1
    target[1, :, 0:3, 10:16] = 0.4  # thin: no cell is covered by half
    return target


def user_of(masks: torch.Tensor, interaction: Interaction = AT_STRIDE_4, seed: int = 0) -> User:
    places = [generator(10 * seed + i) for i in range(len(masks))]
    return User(seen_masks(masks), interaction, generator(seed), places)


def answer_of(logits: torch.Tensor) -> Prediction:
    b = len(logits)
    row = torch.zeros(b)
    return Prediction(logits, row, row, torch.zeros(b, 3), logits, row[:, None])


def cells(points: torch.Tensor) -> torch.Tensor:
    return ((points + 0.5) / 4).long()


@pytest.mark.parametrize("centre", [0.0, 1.0])
def test_a_first_click_lies_on_the_object(centre: float):
    for seed in range(10):
        prompts = user_of(truth(), replace(AT_STRIDE_4, centre=centre), seed).click()
        assert prompts.points is not None
        assert prompts.labels is not None
        assert prompts.labels.tolist() == [[1], [1]]
        at = cells(prompts.points[:, 0])
        assert [truth()[i, 0, at[i, 1], at[i, 0]].item() > 0 for i in range(2)] == [True, True]


def test_a_correction_lies_in_the_error_and_adds_to_the_prompts():
    user = user_of(truth())
    user.click()
    logits = torch.where(truth() > 0, 50.0, -50.0)
    logits[0, :, 4:8] = -50.0  # half of the object is missed
    logits[1, :, 12:, :4] = 50.0  # and something beside the other one is taken for it
    prompts = user.click(answer_of(logits))
    assert prompts.points is not None
    assert prompts.labels is not None
    assert prompts.points.shape == (2, 2, 2)
    assert prompts.labels[:, 1].tolist() == [1, 0]
    (x, y), (u, v) = cells(prompts.points[:, 1]).tolist()
    assert 4 <= y < 8
    assert 2 <= x < 8
    assert v >= 12
    assert u < 4
    assert prompts.previous_logits is not None
    assert prompts.previous_logits.abs().max() == 32


def test_logits_come_back_as_often_as_asked():
    for keep, expected in ((0.0, 0), (1.0, 8)):
        user = user_of(truth(), replace(AT_STRIDE_4, keep_logits=keep))
        kept = [user.click(answer_of(truth() - 0.5)).previous_logits is not None for _ in range(8)]
        assert sum(kept) == expected
    assert user.click().previous_logits is None  # there is nothing to correct


def test_a_correction_from_the_truth_does_not_look_at_the_answer():
    perfect = torch.where(truth() > 0, 9.0, -9.0)
    error = user_of(truth()).click(answer_of(perfect))
    assert error.labels is not None
    assert error.labels.tolist() == [[0], [0]]  # nothing is wrong: a click on the background
    on_it = user_of(truth(), replace(AT_STRIDE_4, from_truth=1.0)).click(answer_of(perfect))
    assert on_it.labels is not None
    assert on_it.labels.tolist() == [[1], [1]]


def test_a_box_surrounds_the_object_with_noise():
    for seed in range(5):
        prompts = user_of(truth(), seed=seed).box()
        assert prompts.points is not None
        assert prompts.labels is not None
        assert prompts.labels.tolist() == [[2, 3], [2, 3]]
        x0, y0, x1, y1 = prompts.points[0].flatten().tolist()
        assert x0 < x1
        assert y0 < y1
        assert max(abs(x0 - 8), abs(y0 - 16), abs(x1 - 32), abs(y1 - 48)) <= 26


def test_an_absent_object_gets_a_negative_click_and_some_box():
    nothing = torch.zeros(1, 1, 16, 16)
    clicked = user_of(nothing).click()
    assert clicked.labels is not None
    assert clicked.labels.tolist() == [[0]]
    assert user_of(nothing).box().count == 2


def test_a_sample_gets_the_same_clicks_in_any_batch():
    masks = torch.cat([truth(), truth().flip(3)])
    places = [generator(5), generator(6)]  # two samples of two objects
    together = User(seen_masks(masks), AT_STRIDE_4, generator(1), places)
    alone = User(seen_masks(masks[2:]), AT_STRIDE_4, generator(1), [generator(6)])
    for _ in range(3):
        a, b = together.click(answer_of(masks - 0.9)), alone.click(answer_of(masks[2:] - 0.9))
        assert a.points is not None
        assert b.points is not None
        assert torch.equal(a.points[2:], b.points)
        assert together.shared.bit_generator.state == alone.shared.bit_generator.state


def test_objects_must_divide_among_samples():
    with pytest.raises(ValueError, match="2 samples, got 3"):
        User(np.zeros((3, 4, 4), bool), Interaction(), generator(), [generator(), generator()])


def test_the_plans_of_the_paper():
    rng = generator(3)
    plans = [draw_plan(rng, 8, Interaction()) for _ in range(4000)]
    masks = [p for p in plans if p.masks]
    others = [p for p in plans if not p.masks]
    assert len(masks) / len(plans) == pytest.approx(0.5, abs=0.03)
    boxes = [box for p in others for box in p.boxes]
    assert sum(boxes) / len(boxes) == pytest.approx(0.5, abs=0.03)
    assert not any(box for p in masks for box in p.boxes)
    assert all(not p.corrected for p in masks)
    for plan in plans:
        assert plan.prompted[0] == 0
        assert len(set(plan.prompted)) == len(plan.prompted)
        assert sorted(plan.order(8)) == list(range(8))
        assert plan.order(8)[: len(plan.prompted)] == list(plan.prompted)
    assert np.mean([len(p.prompted) == 2 for p in plans]) == pytest.approx(0.5, abs=0.03)
    for plan in others:
        assert set(plan.prompted) <= set(plan.corrected)
        assert len(plan.corrected) <= 2
        assert set(plan.corrected.values()) == {7}
    once = [p for p in others if len(p.prompted) == 1]
    assert np.mean([len(p.corrected) == 2 for p in once]) == pytest.approx(0.5, abs=0.05)
    later = [t for p in plans for t in p.prompted[1:]]
    assert set(later) == set(range(1, 8))


def test_an_image_is_prompted_by_a_click_or_a_box():
    plans = [draw_plan(generator(i), 1, Interaction()) for i in range(50)]
    assert all(p.prompted == (0,) and not p.masks and p.corrected == {0: 7} for p in plans)
    assert {p.boxes for p in plans} == {(True,), (False,)}


def test_a_later_frame_is_corrected_at_least_once():
    interaction = Interaction(
        mask=1.0, prompted=1, corrected=2, correct=1.0, correct_masks=True, corrections=(1.0, 0.0)
    )
    for seed in range(20):
        plan = draw_plan(generator(seed), 4, interaction)
        assert len(plan.corrected) == 1
        assert set(plan.corrected.values()) == {1}
        assert 0 not in plan.corrected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompted": 0}, "1 <= prompted <= corrected, got 0 and 2"),
        ({"prompted": 3}, "got 3 and 2"),
        ({"corrections": (0.5, 0.4)}, "sum to 1"),
        ({"corrections": ()}, "sum to 1"),
    ],
)
def test_impossible_users(change: dict, says: str):
    with pytest.raises(ValueError, match=says):
        Interaction(**change)
