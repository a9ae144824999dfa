from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from masklet.model.frame_encoder import FrameEncoder
from masklet.model.memory_reader import MemoryReader
from masklet.model.precision import precision_of
from tiny_model import SMALL_HIERA, pass_of, tiny_model


@pytest.mark.parametrize("outer", [None, torch.bfloat16], ids=["alone", "within autocast"])
def test_float32_is_exact_everywhere(outer: torch.dtype | None):
    model = tiny_model(SMALL_HIERA, seed=1)
    plain = pass_of(model)
    model.precision = torch.float32
    with nullcontext() if outer is None else torch.autocast("cpu", dtype=outer):
        got = pass_of(model)
    assert all(torch.equal(got[name], value) for name, value in plain.items())


@pytest.mark.parametrize("outer", [None, torch.float16], ids=["alone", "within another autocast"])
def test_half_precision_is_its_own(outer: torch.dtype | None):
    model = tiny_model(SMALL_HIERA, seed=1)
    plain = pass_of(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wanted = pass_of(model)  # without a precision, as the surroundings say
    model.precision = torch.bfloat16
    with nullcontext() if outer is None else torch.autocast("cpu", dtype=outer):
        got = pass_of(model)
    assert all(torch.equal(got[name], value) for name, value in wanted.items())
    assert not torch.equal(got["second"].float(), plain["second"])
    assert model.dtype == torch.float32


def test_exact_shortcuts_are_for_full_precision():
    model = tiny_model(SMALL_HIERA, seed=1)
    assert model.full_precision_on_cpu
    assert MemoryReader.serves(model)
    model.precision = torch.bfloat16
    assert not model.full_precision_on_cpu
    assert not MemoryReader.serves(model)
    encoded = FrameEncoder(model)(torch.zeros(1, 3, 64, 64))
    assert encoded.embedding.dtype == torch.bfloat16


def test_names():
    assert precision_of(None) is None
    assert precision_of("float16") == torch.float16
    with pytest.raises(ValueError, match=r"float32, bfloat16, float16, int8, or None .* got 'half'"):
        precision_of("half")
