from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from masklet.model.recurrent_memory import RecurrentMemory
from masklet.model.sam2 import build
from masklet.structures import Prompts, Selection
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model


def maps(seed: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 8, 4, 4, generator=torch.Generator().manual_seed(seed))


def test_the_state_matters_and_stays_bounded():
    torch.manual_seed(0)
    gru = RecurrentMemory(8)
    memory, state = maps(0), None
    assert torch.equal(gru(memory), gru(memory, torch.zeros_like(memory)))
    assert (gru(memory, maps(1)) - gru(memory, maps(2))).abs().max() > 0.1
    for step in range(50):
        state = gru(10 * maps(step), state)
        assert state.abs().max() <= 1


def test_it_is_the_gru_of_a_single_place():
    """With kernels that see one place only, each place is a cell of torch's GRU, whose update gate keeps."""
    torch.manual_seed(1)
    gru, cell = RecurrentMemory(8), torch.nn.GRUCell(8, 8)
    with torch.no_grad():
        for conv in (gru.gates, gru.candidate):
            outside = torch.ones(3, 3, dtype=torch.bool)
            outside[1, 1] = False
            conv.weight[:, :, outside] = 0
        (update, reset), (update_bias, reset_bias) = gru.gates.weight[..., 1, 1].chunk(2), gru.gates.bias.chunk(2)  # pyright: ignore
        new = gru.candidate.weight[..., 1, 1]
        cell.weight_ih.copy_(torch.cat((reset[:, :8], -update[:, :8], new[:, :8])))
        cell.bias_ih.copy_(torch.cat((reset_bias, -update_bias, gru.candidate.bias)))  # pyright: ignore
        cell.weight_hh.copy_(torch.cat((reset[:, 8:], -update[:, 8:], torch.zeros(8, 8))))
        cell.bias_hh.zero_()
        gru.candidate.weight[:, 8:] = 0  # torch resets after its matrix, the convolution before
    memory, state = maps(2), maps(3)
    places = [x.permute(0, 2, 3, 1).reshape(-1, 8) for x in (memory, state)]
    expected = cell(*places).reshape(2, 4, 4, 8).permute(0, 3, 1, 2)
    assert torch.allclose(gru(memory, state), expected, atol=1e-6)


def test_gradients_go_back_through_the_states():
    torch.manual_seed(2)
    gru, first = RecurrentMemory(8), maps(0).requires_grad_()
    state = gru(first)
    for step in range(1, 4):
        state = gru(maps(step), state)
    state.square().mean().backward()
    assert first.grad is not None
    assert first.grad.abs().max() > 0
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in gru.parameters())


def test_it_may_start_by_passing_maps_through():
    torch.manual_seed(3)
    gru = RecurrentMemory(8)
    gru.pass_through()
    memory = maps(0)
    correlation = torch.corrcoef(torch.stack((gru(memory, maps(1)).flatten(), memory.tanh().flatten())))[0, 1]
    assert correlation > 0.95


@pytest.mark.parametrize("config", [SMALL_NANO, SMALL_HIERA], ids=["nano", "hiera"])
def test_a_model_without_it_is_as_it_was(config):
    torch.manual_seed(4)
    plain = build(config).state_dict()
    torch.manual_seed(4)
    state = build(replace(config, recurrent_memory=True)).state_dict()
    assert {name.split(".")[0] for name in state.keys() - plain.keys()} == {"recurrent_memory"}
    assert all(torch.equal(state[name], plain[name]) for name in plain)


@pytest.mark.parametrize("recurrent", [False, True])
def test_only_recurrent_memory_reads_the_map_before(recurrent: bool):
    model = tiny_model(replace(SMALL_HIERA, recurrent_memory=recurrent), seed=2)
    with torch.inference_mode():
        features = model.encode_image(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3)))
        prompts = Prompts(torch.tensor([[[20.0, 30.0]]]), torch.ones(1, 1, dtype=torch.long))
        answer = model.predict(features, Selection(), prompts)
        first = model.encode_memory(features, answer).features
        assert first is not None
        again = model.encode_memory(features, answer, first.to(torch.bfloat16)).features  # as sessions keep them
        zeros = model.encode_memory(features, answer, torch.zeros_like(first)).features
    assert again is not None
    assert zeros is not None
    assert again.dtype == torch.float32
    assert torch.equal(first, zeros)
    assert torch.equal(first, again) is not recurrent
