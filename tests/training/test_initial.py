from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from masklet.checkpoints.load import load, save
from masklet.model.config import NANO, ModelConfig
from masklet.model.efficientnet import EfficientNetLite
from masklet.training import initial
from masklet.training.initial import start_as_matching, starting_model
from tiny_model import SMALL_GRU, SMALL_HIERA, SMALL_NANO, tiny_model


def test_random_weights_depend_on_the_seed():
    model = starting_model("random", NANO, 1)
    assert model.config.width == 128
    assert torch.equal(model.no_memory, starting_model("random", NANO, 1).no_memory)
    assert not torch.equal(model.no_memory, starting_model("random", NANO, 2).no_memory)


def test_trained_weights_come_from_a_file(tmp_path: Path):
    made = tiny_model(SMALL_HIERA, seed=4)
    save(made, tmp_path / "made.safetensors")
    model = starting_model(str(tmp_path / "made.safetensors"), drop_path=0.5, dropout=0.1)
    assert torch.equal(model.no_memory, made.no_memory)
    assert model.image_encoder.trunk.blocks[-1].drop_path.rate == 0.5  # pyright: ignore
    assert [layer.dropout.p for layer in model.memory_attention.layers] == [0.1] * len(model.memory_attention.layers)


@pytest.mark.parametrize(
    ("start", "trunk", "matching"),
    [("random", 0, False), ("matching", 0, True), ("pretrained-trunk", 1, False), ("pretrained", 1, True)],
)
def test_trunk_and_matching_are_had_apart(monkeypatch: pytest.MonkeyPatch, start: str, trunk: int, matching: bool):
    filled = []
    monkeypatch.setattr(initial, "load_pretrained", filled.append)
    model = starting_model(start, NANO)
    assert [type(one) for one in filled] == [EfficientNetLite] * trunk
    view = model.memory_encoder.out.weight[:, :, 0, 0]
    assert torch.allclose(view @ view.T, torch.eye(64), atol=1e-5) is matching
    assert torch.equal(model.no_memory, starting_model("random", NANO).no_memory)


@pytest.mark.parametrize(
    ("start", "config", "says"),
    [
        ("random", None, "say of which model"),
        ("pretrained", SMALL_HIERA, "only the light trunk has ImageNet weights"),
        ("pretrained-trunk", SMALL_HIERA, "start from 'random' or 'matching'"),
        ("nano", SMALL_HIERA, "of the model's weights have a match"),
    ],
)
def test_impossible_starts(start: str, config: ModelConfig | None, says: str):
    with pytest.raises(ValueError, match=says):
        starting_model(start, config)


def test_memory_attention_starts_as_matching():
    model = tiny_model(SMALL_NANO)
    start_as_matching(model)
    view = model.memory_encoder.out.weight[:, :, 0, 0]
    assert torch.allclose(view @ view.T, torch.eye(16), atol=1e-5)
    attention = model.memory_attention.layers[0].cross_attention
    x = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(0))
    query = attention.query.weight @ x[0].T
    key = attention.key.weight @ (view @ x[0].T)
    assert torch.allclose(query, key, atol=1e-4)  # the same place looks the same from both sides


def test_recurrent_memory_starts_by_letting_the_view_through():
    model = tiny_model(SMALL_GRU)
    start_as_matching(model)
    gru = model.recurrent_memory
    assert gru is not None
    x = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(torch.tanh(gru.candidate(torch.cat((x, x), 1))), torch.tanh(x))


def test_a_model_that_differs_takes_what_fits():
    trained = load("nano")
    other = replace(trained.config, memories=3, recurrent_memory=True, attention_layers=3)
    model, again = starting_model("nano", other), starting_model("nano", other, seed=0)
    assert model.config == other
    source = trained.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])  # what is random has a seed
        if name in source and source[name].shape == value.shape:
            assert torch.equal(value, source[name]), name
    old, new = trained.memory_tokens.time, model.memory_tokens.time
    assert torch.equal(new[:2], old[:2])  # one and two frames back
    assert torch.equal(new[2], old[-1])  # prompted


def test_the_same_model_is_taken_whole():
    trained = load("nano")
    for config in (None, trained.config):
        model = starting_model("nano", config)
        for name, value in model.state_dict().items():
            assert torch.equal(value, trained.state_dict()[name]), name
