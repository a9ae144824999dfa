from __future__ import annotations

import pytest
import torch

from masklet.model.candidates import choose, is_ambiguous, stability


def decoded(stable: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two objects; of the first, mask 2 is best of the three, of the second mask 3; mask 0 has the best IoU of all."""
    masks = torch.arange(4.0)[None, :, None, None].expand(2, 4, 4, 4).clone() + 10
    if not stable:
        masks[1, 0, :2] = 0.01  # half of the mask lies between the two thresholds
    iou = torch.tensor([[0.99, 0.1, 0.8, 0.3], [0.99, 0.1, 0.2, 0.7]])
    tokens = torch.arange(8.0).reshape(2, 4, 1)
    return masks, iou, tokens


@pytest.mark.parametrize(("points", "ambiguous"), [(0, True), (1, True), (2, False), (5, False)])
def test_one_click_is_ambiguous_and_a_box_is_not(points: int, ambiguous: bool):
    assert is_ambiguous(points) is ambiguous


def test_an_ambiguous_prompt_gets_three_and_the_best_of_them():
    masks, iou, tokens = decoded()
    choice = choose(masks, iou, tokens, ambiguous=True, stability_fallback=True)
    assert torch.equal(choice.candidates, masks[:, 1:])
    assert torch.equal(choice.candidate_iou, iou[:, 1:])
    assert torch.equal(choice.logits[:, 0], torch.stack((masks[0, 2], masks[1, 3])))
    assert choice.iou.tolist() == pytest.approx([0.8, 0.7])
    assert choice.token[:, 0].tolist() == [2, 7]  # the token of the mask that was picked


def test_a_clear_prompt_gets_mask_0():
    masks, iou, tokens = decoded()
    choice = choose(masks, iou, tokens, ambiguous=False, stability_fallback=True)
    assert torch.equal(choice.logits, masks[:, :1])
    assert torch.equal(choice.candidates, masks[:, :1])
    assert choice.candidate_iou[:, 0].tolist() == pytest.approx([0.99, 0.99])
    assert choice.token[:, 0].tolist() == [0, 4]


def test_an_unstable_mask_gives_way_but_keeps_its_token():
    masks, iou, tokens = decoded(stable=False)
    choice = choose(masks, iou, tokens, ambiguous=False, stability_fallback=True)
    assert torch.equal(choice.logits[0, 0], masks[0, 0])
    assert torch.equal(choice.logits[1, 0], masks[1, 3])
    assert choice.iou.tolist() == pytest.approx([0.99, 0.7])
    assert choice.token[:, 0].tolist() == [0, 4]
    kept = choose(masks, iou, tokens, ambiguous=False, stability_fallback=False)
    assert torch.equal(kept.logits, masks[:, :1])


def test_stability_is_a_ratio_of_areas():
    logits = torch.full((1, 3, 10, 10), -1.0)
    logits[0, 0, :5] = 1.0  # all of it sure
    logits[0, 1, :5] = 1.0
    logits[0, 1, 5] = -0.01  # 50 above +0.05, 60 above -0.05
    assert stability(logits)[0].tolist() == pytest.approx([1.0, 50 / 60, 1.0])  # the third is empty


@pytest.mark.parametrize(("unsure", "stays"), [(2, True), (3, False)])
def test_the_threshold_is_98_percent(unsure: int, stays: bool):
    masks, iou, tokens = (x[:1].clone() for x in decoded())
    masks = torch.ones(1, 4, 10, 10) * torch.arange(1, 5.0)[:, None, None]
    masks[0, 0].view(-1)[:unsure] = 0.0
    choice = choose(masks, iou, tokens, ambiguous=False, stability_fallback=True)
    assert torch.equal(choice.logits[:, 0], masks[:, 0]) is stays
