from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from masklet.training.optimisation import Average, Optimisation, freeze, layers_above, parameter_groups
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model


def test_cosine_warms_up_and_falls():
    config = Optimisation(warmup=10, floor=0.1)
    assert config.factor(0, 0.0) == pytest.approx(0.1)
    assert config.factor(9, 0.0) == pytest.approx(1.0)
    assert config.factor(500, 0.5) == pytest.approx(0.55)
    assert config.factor(900, 1.0) == pytest.approx(0.1)
    assert config.factor(900, 1.2) == pytest.approx(0.1)


def test_reciprocal_root_cools_down():
    """Pre-training: timescale 1000, warm-up 1000, the last 5000 of 90,000 steps linear to 0."""
    config = Optimisation(schedule="reciprocal_root", warmup=1000, cooldown=5 / 90)
    assert config.factor(499, 0.005) == pytest.approx(0.5)
    assert config.factor(4000, 4 / 90) == pytest.approx(0.5)
    assert config.factor(85_000, 85 / 90) == pytest.approx(85**-0.5)
    assert config.factor(87_500, 87.5 / 90) == pytest.approx(0.5 * 87.5**-0.5)
    assert config.factor(90_000, 1.0) == 0


def test_constant_is_constant():
    config = Optimisation(schedule="constant", warmup=0)
    assert [config.factor(s, s / 9) for s in range(10)] == [1.0] * 10


def test_groups_hold_every_weight_once():
    model = tiny_model(SMALL_NANO)
    groups = parameter_groups(model, Optimisation(1.0, 2.0, "image_encoder.trunk.*", weight_decay=3.0))
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    assert {(g["base"], g["weight_decay"]) for g in groups} == {(1.0, 3.0), (1.0, 0.0), (2.0, 3.0), (2.0, 0.0)}
    trunk = {id(p) for p in model.image_encoder.trunk.parameters()}
    for group in groups:
        for p in group["params"]:
            assert (id(p) in trunk) is (group["base"] == 2.0)
            assert (p.ndim > 1) is (group["weight_decay"] == 3.0)


def test_rates_fall_towards_the_image():
    assert layers_above("image_encoder.trunk.patch.weight", 12) == 13
    assert layers_above("image_encoder.trunk.blocks.0.mlp.layers.0.weight", 12) == 12
    assert layers_above("image_encoder.trunk.blocks.11.norm1.bias", 12) == 1
    assert layers_above("image_encoder.trunk.position", 12) == 0  # learns at the full rate
    assert layers_above("image_encoder.neck.0.weight", 12) == 0
    assert layers_above("mask_decoder.iou_head.layers.0.weight", 12) == 0
    model = tiny_model(SMALL_HIERA)  # 5 blocks
    groups = parameter_groups(model, Optimisation(1.0, 0.1, layer_decay=0.5))
    rate = {id(p): g["base"] for g in groups for p in g["params"]}
    named = dict(model.named_parameters())
    assert rate[id(named["image_encoder.trunk.blocks.4.norm1.weight"])] == pytest.approx(0.1 * 0.5)
    assert rate[id(named["image_encoder.trunk.patch.weight"])] == pytest.approx(0.1 * 0.5**6)
    assert rate[id(named["image_encoder.trunk.position"])] == pytest.approx(0.1)
    assert rate[id(named["no_memory"])] == 1.0


def test_frozen_parts_are_in_no_group():
    model = tiny_model(SMALL_NANO)
    frozen = freeze(model, ("image_encoder.*", "*.bias"))
    assert all(name.startswith("image_encoder.") or name.endswith(".bias") for name in frozen)
    learned = sum(len(g["params"]) for g in parameter_groups(model, Optimisation()))
    assert learned == len(list(model.parameters())) - len(frozen) > 0
    with pytest.raises(ValueError, match=r"'image_encode\.x' fits no parameter: .*image_encoder"):
        freeze(model, ("image_encode.x",))
    freeze(model, ("*",))
    with pytest.raises(ValueError, match="nothing to learn"):
        parameter_groups(model, replace(Optimisation(), freeze=("*",)))


def test_an_average_is_young_at_first():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 0.0)
    average = Average(model, 0.9)
    torch.nn.init.constant_(model.weight, 1.0)
    average.update(model, 0)
    assert average.state["weight"].item() == pytest.approx(0.9)  # decay 1/10
    torch.nn.init.constant_(model.weight, 0.0)
    average.update(model, 10_000)
    assert average.state["weight"].item() == pytest.approx(0.81)  # decay 0.9
