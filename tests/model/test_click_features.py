from __future__ import annotations

import torch

from masklet.model.click_features import ClickFeatures, soft_maps
from masklet.structures import Prompts

SIZE = (64, 64)  # height and width of the input in pixels


def prompts(points: list[tuple[float, float]], labels: list[int]) -> Prompts:
    return Prompts(torch.tensor([points], dtype=torch.float32), torch.tensor([labels]))


def test_clicks_are_bells_on_their_own_maps():
    negative, positive, box = soft_maps(prompts([(48, 8), (16, 40)], [0, 1]), SIZE, stride=4, sigma=8.0)[0]
    assert divmod(int(negative.argmax()), 16) == (8 // 4, 48 // 4)  # row from y, column from x
    assert divmod(int(positive.argmax()), 16) == (40 // 4, 16 // 4)
    assert not box.any()
    one = soft_maps(prompts([(15.5, 39.5)], [1]), SIZE, stride=1, sigma=8.0)[0, 1]  # the corner of four cells
    assert torch.allclose(one[39:41, 15:17], torch.tensor(1.0), atol=5e-3)
    assert torch.allclose(one[40, 24], torch.exp(torch.tensor(-0.5 * (8.5**2 + 0.5**2) / 64)))


def test_a_box_is_full_inside_and_empty_outside():
    negative, positive, box = soft_maps(prompts([(8, 16), (40, 56)], [2, 3]), SIZE, stride=1, sigma=4.0)[0]
    assert not negative.any()
    assert not positive.any()
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[16:57, 8:41] = True
    assert box[24:48, 16:32].min() > 0.95
    for away in (box[:4], box[-1:, 48:], box[:, 52:], box[:8, :32]):
        assert away.max() < 0.05
    assert ((box > 0.25) == inside).float().mean() > 0.9


def test_only_clicks_carry_the_feature_under_them():
    module = ClickFeatures(4, 2)
    with torch.no_grad():
        module.under_click.weight.copy_(torch.eye(4))
        module.under_click.bias.zero_()
    embedding = torch.zeros(1, 4, 4, 4)
    embedding[0, :, 1, 3] = torch.tensor([1.0, 2.0, 3.0, 4.0])  # the cell around (56, 24)
    given = prompts([(0, 0), (63, 63), (55.5, 23.5), (23.5, 55.5), (0, 0)], [2, 3, 1, 0, -1])
    tokens = module.tokens(embedding, given, SIZE)
    assert tokens.shape == (1, 6, 4)  # one more for the padding point that the prompt encoder adds
    assert tokens[0, 2].tolist() == [1, 2, 3, 4]
    assert not tokens[0, [0, 1, 3, 4, 5]].any()


def test_maps_come_at_both_strides():
    module = ClickFeatures(8, 4)
    coarse, fine = module.maps(prompts([(16, 40)], [1]), SIZE)
    assert coarse.shape == (1, 8, 4, 4)
    assert fine.shape == (1, 4, 16, 16)
    with torch.no_grad():
        module.coarse.weight.zero_()
        module.coarse.weight[0, 1] = 1  # what channel 0 sees of positive clicks
    coarse, _ = module.maps(prompts([(16, 40)], [1]), SIZE)
    assert coarse[0, 0].argmax() == 2 * 4 + 1
    assert not coarse[0, 1:].any()


def test_an_input_that_is_not_square():
    size = (32, 96)
    wide = soft_maps(prompts([(80, 8), (10, 4), (40, 20)], [1, 2, 3]), size, stride=1, sigma=2.0)[0]
    assert wide.shape == (3, *size)
    assert divmod(int(wide[1].argmax()), 96) == (8, 80)
    assert wide[2, 12, 25] > 0.95
    assert wide[2, 25, 25] < 0.05
    assert wide[2, 12, 50] < 0.05
    module = ClickFeatures(4, 2)
    with torch.no_grad():
        module.under_click.weight.copy_(torch.eye(4))
        module.under_click.bias.zero_()
    embedding = torch.zeros(1, 4, 2, 6)
    embedding[0, :, 0, 5] = 1.0  # the cell around (88, 8)
    tokens = module.tokens(embedding, prompts([(87.5, 7.5), (8, 24)], [1, 1]), size)
    assert torch.allclose(tokens[0, 0], torch.ones(4))
    assert not tokens[0, 1].any()
