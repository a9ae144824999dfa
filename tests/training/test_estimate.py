from __future__ import annotations

import gc
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from toy_source import STAGE, TOY, Discs, toy

from masklet.model.config import CONFIGS
from masklet.model.sam2 import build
from masklet.structures import Selection
from masklet.training.estimate import (
    GIB,
    LIBRARIES,
    Hardware,
    Part,
    count_parts,
    memory_of,
    outlook,
    plan,
    sample_cost,
)
from masklet.training.losses import LossWeights
from masklet.training.recipe import Stage
from masklet.training.rollout import RolloutConfig, clip_rollout, image_rollout
from masklet.training.user import Interaction
from tiny_model import SMALL_NANO, tiny_model

ONE = Interaction(mask=0.0, box=0.0, prompted=1, correct=0.0, corrections=(0.0, 0.0, 1.0))


@pytest.mark.parametrize("kind", ["image", "clip"])
def test_counted_arithmetic_is_that_of_a_rollout(kind: str):
    """Forward, on the same work; the clip's memory is not yet full, so that the estimate is a little above."""
    model, stage = tiny_model(SMALL_NANO), replace(STAGE, size=64, masks=2, frames=6, objects=2)
    arrays, _ = Discs(kind).sample(0, np.random.default_rng(0), stage)
    batch = {name: value[None] for name, value in arrays.items()}
    rollout = image_rollout if kind == "image" else clip_rollout
    with FlopCounterMode(display=False) as counter:
        rollout(model.train(), batch, RolloutConfig(ONE), np.random.default_rng(0), [np.random.default_rng(0)])
    estimated = sample_cost(stage, kind, ONE, count_parts(model, 64), recompute=False)
    assert estimated.flops == pytest.approx(counter.get_total_flops(), rel=0.2)


def test_kept_bytes_are_those_of_a_rollout():
    model, stage = tiny_model(SMALL_NANO), replace(STAGE, size=64, masks=2)
    arrays, _ = Discs("image").sample(0, np.random.default_rng(0), stage)
    batch = {name: value[None] for name, value in arrays.items()}
    kept: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[id(tensor.untyped_storage())] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        image_rollout(model.train(), batch, RolloutConfig(ONE), np.random.default_rng(0), [np.random.default_rng(0)])
    estimated = sample_cost(stage, "image", ONE, count_parts(model, 64), recompute=False)
    assert estimated.kept == pytest.approx(sum(kept.values()), rel=0.2)
    del alive
    gc.collect()


def test_counting_leaves_the_model_alone():
    model = tiny_model(SMALL_NANO)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    picture = torch.zeros(1, 3, 64, 64)
    expected = model.condition(features := model.encode_image(picture), Selection()), features
    count_parts(model, 64)
    assert not model.training
    entry = model.encode_memory(features, model.adopt_mask(features, picture[:, :1]))
    again = model.condition(features, Selection(((0, entry),), ((1, entry),)))
    assert again.shape == expected[0].shape
    assert torch.isfinite(again).all()  # nothing without content is left in a cache
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_an_image_encoder_at_1024_px():
    """264 G multiplications with additions for base_plus: twice that many operations."""
    parts = count_parts(build(CONFIGS["sam2.1_hiera_base_plus"]), 1024)
    assert parts.encode.flops == pytest.approx(529e9, rel=0.02)
    assert parts.condition.flops > parts.decode.flops


def test_more_devices_share_work_and_memory():
    model = tiny_model(SMALL_NANO)
    recipe = toy(stages=(replace(STAGE, images=4, videos=4),))
    one, four = (plan(recipe, model, Hardware(devices=n)) for n in (1, 4))
    assert four.seconds == pytest.approx(one.seconds / 4)
    assert four.activations == pytest.approx(one.activations / 4)
    assert four.weights == one.weights + 4 * one.learned  # buckets
    assert four.flops == one.flops
    sharded = plan(recipe, model, Hardware(devices=4, sharded=True))
    trunk = sum(p.numel() for p in model.image_encoder.trunk.parameters())
    assert sharded.weights == one.weights / 4 + 8 * (one.parameters - trunk)  # the rest is whole during a step
    assert plan(recipe, model, Hardware(half=False)).activations == 2 * one.activations
    text = "\n".join(one.lines())
    assert "6 steps" in text
    assert "fits" in text
    with pytest.raises(ValueError, match="cannot be dealt out to 3 devices"):
        plan(recipe, model, Hardware(devices=3))


def test_recomputing_trades_memory_for_arithmetic():
    parts = count_parts(tiny_model(SMALL_NANO), 64)
    stage = Stage(size=64, masks=8)
    plain, again = (sample_cost(stage, "image", Interaction(), parts, recompute) for recompute in (False, True))
    assert again.kept < plain.kept / 2
    assert again.flops > plain.flops


def test_the_most_that_a_user_may_do():
    parts, stage = count_parts(tiny_model(SMALL_NANO), 64), replace(STAGE, frames=6)
    user = Interaction(mask=0.5, prompted=1, correct=0.3, corrections=(0.5, 0.5))
    always = replace(user, mask=0.0, correct=1.0, corrections=(0.0, 1.0))
    for kind in ("image", "clip"):
        mean, most, done = (
            sample_cost(stage, kind, *each)
            for each in ((user, parts, False), (user, parts, False, True), (always, parts, False))
        )
        assert mean.kept < most.kept == pytest.approx(done.kept)


def test_small_losses_keep_less():
    model = tiny_model(SMALL_NANO)
    full, small = (count_parts(model, 64, LossWeights(full_size=full)).decode for full in (True, False))
    assert small.kept < full.kept
    assert small.flops == full.flops


def test_an_outlook_warns_where_memory_is_short():
    costs = plan(TOY, tiny_model(SMALL_NANO), Hardware(devices=2, memory=8 * GIB, half=False))
    lines, warning = outlook(TOY, costs, shared=True, workers=1)
    assert warning is None
    needed = 2 * (costs.memory + LIBRARIES)
    assert f"; {needed / GIB:.1f} of 8.0 GiB" in lines[0]
    assert "6 steps" in lines[2]
    short = replace(costs, hardware=replace(costs.hardware, memory=1.5 * costs.memory))
    assert outlook(TOY, short, shared=False)[1] is None  # each has its own
    _, warning = outlook(TOY, short, shared=True)
    assert warning is not None
    assert "may need" in warning
    assert "3 minutes of processor time" in outlook(toy(steps=None, minutes=3.0), costs, shared=True)[0][2]
    unknown = replace(costs, hardware=replace(costs.hardware, memory=math.inf))
    assert outlook(TOY, unknown, shared=True)[0][0].endswith(")")
    assert memory_of("cpu") > GIB / 4


def test_parts_add_up():
    assert Part(1.0, 2.0) + Part(3.0, 4.0) * 2 == Part(7.0, 10.0)
    assert TOY.steps == 6
