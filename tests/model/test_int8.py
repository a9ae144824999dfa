from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

import masklet
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.int8 import Int8Linear, to_int8
from masklet.model.sam2 import Sam2
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model


def reference(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """The layer with its weights rounded by channel, its input to 7 bits with one scale and a zero that is exact."""
    scale = layer.weight.abs().amax(1, keepdim=True) / 127
    weight = (layer.weight / scale).round().clamp(-128, 127) * scale
    least, most = x.min().clamp(max=0), x.max().clamp(min=0)
    step = (most - least) / 127
    zero = (-least / step).round()
    rounded = ((x / step).round() + zero).clamp(0, 127) - zero
    return nn.functional.linear(rounded * step, weight, layer.bias)


@pytest.mark.parametrize("bias", [True, False])
def test_layer_is_that_of_rounded_numbers(bias: bool):
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(48, 24, bias=bias)
    x = torch.randn(5, 7, 48, generator=generator) + 0.3
    with torch.inference_mode():
        got, wanted, exact = Int8Linear(layer)(x), reference(layer, x), layer(x)
    assert got.shape == exact.shape
    rounding = (wanted - exact).norm() / exact.norm()
    assert 0.001 < rounding < 0.05
    assert (got - wanted).norm() / exact.norm() < 0.1 * rounding


def test_weights_are_not_changed():
    model = tiny_model(SMALL_HIERA)
    before = copy.deepcopy(model.state_dict())
    state = to_int8(model).state_dict()
    assert list(state) == list(before)
    assert all(torch.equal(state[name], value) for name, value in before.items())


@pytest.mark.parametrize("config", [SMALL_HIERA, SMALL_NANO], ids=["hiera", "nano"])
def test_features_are_near_those_of_the_float_model(config):
    model = tiny_model(config)
    rounded = to_int8(copy.deepcopy(model))
    assert any(isinstance(layer, Int8Linear) for layer in rounded.image_encoder.modules())
    assert not any(isinstance(layer, Int8Linear) for layer in rounded.mask_decoder.modules())
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        exact, readable, fast = (
            e(image).embedding for e in (model.encode_image, rounded.encode_image, FrameEncoder(rounded))
        )
    assert 1e-5 < (readable - exact).norm() / exact.norm() < 0.1
    assert (fast - readable).norm() / exact.norm() < 0.02  # bands have scales of their own


def test_autocast_around_it_does_not_count():
    model = to_int8(tiny_model(SMALL_HIERA))
    image = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.encode_image(image).embedding.dtype == torch.float32


def test_load_and_save(tmp_path: Path):
    exact = tiny_model(SMALL_HIERA)
    file = masklet.save(exact, tmp_path / "a.safetensors")
    rounded = masklet.load(file, precision="int8")
    assert any(isinstance(layer, Int8Linear) for layer in rounded.image_encoder.modules())
    again = masklet.load(masklet.save(rounded, tmp_path / "b.safetensors"))
    assert all(torch.equal(value, exact.state_dict()[name]) for name, value in again.state_dict().items())


def test_needs_float32(tmp_path: Path):
    with pytest.raises(ValueError, match=r"int8 layers need a model on a CPU in float32, got cpu, torch\.bfloat16"):
        to_int8(Sam2(SMALL_HIERA).bfloat16())
