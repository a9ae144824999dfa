from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_source import TOY, toy

from masklet.checkpoints.load import load
from masklet.training.loop import new_state, prepared, train
from masklet.training.lora import LoRA, add_lora, merge_lora
from masklet.training.recipe import override
from masklet.training.state import WEIGHTS
from tiny_model import SMALL_HIERA, tiny_model

CONFIG = LoRA(("image_encoder.trunk.*", "mask_decoder.upscale*"), rank=2, also=("no_memory",))


def answer(model) -> torch.Tensor:
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return model.encode_image(image).embedding


def test_it_starts_as_the_model_and_ends_as_one():
    plain, model = tiny_model(SMALL_HIERA), tiny_model(SMALL_HIERA)
    chosen = add_lora(model, CONFIG)
    assert "image_encoder.trunk.patch" in chosen
    assert torch.equal(answer(plain), answer(model))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".up"):
                parameter.normal_(std=0.1)
    changed = answer(model)
    assert not torch.allclose(changed, answer(plain), atol=1e-3)
    merge_lora(model)
    assert torch.allclose(answer(model), changed, atol=1e-5)
    assert model.state_dict().keys() == plain.state_dict().keys()


def test_only_the_change_learns():
    model = tiny_model(SMALL_HIERA)
    add_lora(model, CONFIG)
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    assert "no_memory" in learned
    assert all(name.endswith((".up", ".down", "no_memory")) for name in learned)
    numbers = [sum(p.numel() for p in model.parameters() if p.requires_grad is wanted) for wanted in (True, False)]
    assert numbers[0] < 0.3 * numbers[1]


def test_a_run_with_lora_gives_plain_weights(tmp_path: Path):
    optimisation = replace(TOY.optimisation, lora=CONFIG)
    whole = list(train(toy(optimisation=optimisation, steps=3), tmp_path / "a", model=tiny_model(SMALL_HIERA)))
    list(train(toy(optimisation=optimisation, steps=1), tmp_path / "b", model=tiny_model(SMALL_HIERA)))
    rest = list(train(toy(optimisation=optimisation, steps=3), tmp_path / "b", model=tiny_model(SMALL_HIERA)))
    assert [r.loss for r in whole[1:]] == [r.loss for r in rest]
    before, after = tiny_model(SMALL_HIERA).state_dict(), load(tmp_path / "a" / WEIGHTS).state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "image_encoder.trunk.blocks.0.mlp.layers.0.weight" in changed
    assert not any(name.startswith("memory_") for name in changed)
    again = load(tmp_path / "b" / WEIGHTS).state_dict()
    assert all(torch.equal(after[name], again[name]) for name in after)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (LoRA(("trunk",), rank=1), "'trunk' fits no linear or convolution module, such as image_encoder"),
        (LoRA(rank=1, also=("decoder",)), "'decoder' fits no parameter"),
        (LoRA(rank=0), "at least 1, got 0"),
    ],
)
def test_patterns_that_fit_nothing(config: LoRA, says: str):
    with pytest.raises(ValueError, match=says):
        add_lora(tiny_model(SMALL_HIERA), config)


def test_it_is_turned_on_by_its_rank():
    changed = override(TOY, {"optimisation.lora.rank": "4"})
    model = tiny_model(SMALL_HIERA)
    assert sum(len(g["params"]) for g in new_state(TOY, model).optimizer.param_groups) == len(list(model.parameters()))
    names = [name for name, p in prepared(changed, model).named_parameters() if p.requires_grad]
    assert any(name.endswith(".up") for name in names)
    assert not any("original" in name and "mask_decoder" not in name for name in names)
