"""The fast way to read memory against the readable one, :meth:`Sam2.condition`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from masklet.model import memory_keys, memory_reader, streamed_attention
from masklet.model.config import ModelConfig
from masklet.model.memory_bank import MemoryBank
from masklet.model.memory_reader import MemoryReader
from masklet.model.sam2 import Sam2
from masklet.structures import FrameFeatures, MemoryEntry, Selection
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model

CONFIGS = {
    "torch's kernel": SMALL_HIERA,
    "with a bias": SMALL_NANO,
    "streamed": replace(SMALL_HIERA, attention_heads=1),
    "streamed with a bias": replace(SMALL_NANO, attention_heads=1),
    "streamed with narrow heads": replace(SMALL_HIERA, attention_heads=4, attention_layers=3),
    "2.0": replace(SMALL_HIERA, version="2.0"),
}
GRID = (4, 6)


@pytest.fixture(autouse=True)
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pieces and tiles so small that each map has several and the last is not full."""
    monkeypatch.setattr(memory_reader, "PIECE", 10)
    monkeypatch.setattr(streamed_attention, "TILE", (8, 30))
    with torch.inference_mode():
        yield


def frame(model: Sam2, seed: int = 0) -> FrameFeatures:
    g = torch.Generator().manual_seed(seed)
    embedding = torch.randn(1, model.config.width, *GRID, generator=g).to(model.dtype)
    return FrameFeatures(embedding, torch.zeros(1, 4, 8, 12), torch.zeros(1, 4, 16, 24))


def bank(model: Sam2, seed: int, frames: int = 9, dtype: torch.dtype = torch.bfloat16) -> MemoryBank:
    """Memories as sessions keep them, two of them prompted."""
    g, config = torch.Generator().manual_seed(seed), model.config
    made = MemoryBank(model.limits)
    for t in range(frames):
        entry = MemoryEntry(
            torch.randn(1, config.memory_width, *GRID, generator=g).to(dtype),
            torch.randn(1, config.width, generator=g),
        )
        made.write(t, entry, prompted=t in (0, 4))
    return made


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_it_reads_what_the_readable_form_reads(config: ModelConfig, dtype: torch.dtype, near: float):
    model = tiny_model(config, seed=1).to(dtype)
    reader, memories = MemoryReader(model), bank(model, 1)
    for t in (1, 3, 9, 10):  # few memories, all of them, keys kept from the frame before
        features, selection = frame(model, t), memories.read(t)
        expected = model.condition(features, selection)
        got = reader.condition(features, [selection])
        assert got.shape == expected.shape
        assert got.dtype == dtype
        assert (got - expected).abs().max() < near
    alone = model.condition(features, replace(selection, maps=selection.maps[:1], pointers=()))
    assert (alone - expected).abs().max() > 1e-2  # else memory would mean nothing here


def test_maps_alone_pointers_alone_and_nothing():
    model = tiny_model(seed=1)
    reader, memories, features = MemoryReader(model), bank(model, 1), frame(model)
    whole = memories.read(9)
    selections = [replace(whole, pointers=()), replace(whole, maps=()), Selection(), whole]
    together = reader.condition(features, selections)
    for row, selection in zip(together, selections, strict=True):
        assert torch.allclose(row, model.condition(features, selection)[0], atol=2e-5)


@pytest.mark.parametrize("config", [SMALL_NANO, CONFIGS["streamed"]])
def test_objects_share_the_frame_and_nothing_else(config: ModelConfig, monkeypatch: pytest.MonkeyPatch):
    model = tiny_model(config, seed=1)
    selections = [bank(model, seed).read(9) for seed in range(3)]
    calls, inside = [], MemoryReader._attend_inside
    monkeypatch.setattr(MemoryReader, "_attend_inside", lambda *a: calls.append(1) or inside(*a))
    features, reader = frame(model), MemoryReader(model)
    together = reader.condition(features, selections)
    assert len(calls) == 1 + 3 * (config.attention_layers - 1)
    for i, selection in enumerate(selections):
        assert torch.equal(reader.condition(features, [selection])[0], together[i])  # the same frame: nothing anew
        assert torch.equal(MemoryReader(model).condition(features, [selection])[0], together[i])
    assert len(calls) == 1 + 9 * (config.attention_layers - 1) + 3


def test_keys_are_kept_from_frame_to_frame(monkeypatch: pytest.MonkeyPatch):
    model = tiny_model(seed=1)
    made, keep = [], memory_keys.KeptMap
    monkeypatch.setattr(memory_keys, "KeptMap", lambda *a: made.append(1) or keep(*a))
    reader, memories = MemoryReader(model), bank(model, 1)
    shown, sizes = [], []
    for t in (8, 9, 10):
        shown.append(reader.condition(frame(model, t), [memories.read(t)]))
        sizes.append(len(made))
    assert sizes == [7, 8, 8]  # frames 0 and 4 are prompted; 2, 3, 5 to 7 and then 8 are recent
    assert reader.nbytes > 0
    reader.condition(frame(model, 11), [memories.read(0)])
    before = reader.nbytes
    reader.condition(frame(model, 12), [memories.read(0)])
    assert reader.nbytes < before  # what frame 11 did not read is gone
    monkeypatch.setattr(memory_keys, "KEPT_BYTES", 0)
    other = MemoryReader(model)
    for t, expected in zip((8, 9, 10), shown, strict=True):
        assert torch.equal(other.condition(frame(model, t), [memories.read(t)]), expected)
    assert other.nbytes == 0
    reader.clear()
    assert reader.nbytes == 0


def test_within_autocast_it_stays_exact():
    model = tiny_model(seed=1)
    features, selection = frame(model), bank(model, 1).read(9)
    expected = MemoryReader(model).condition(features, [selection])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(MemoryReader(model).condition(features, [selection]), expected)


def test_half_precision_is_left_to_the_readable_form():
    model = tiny_model()
    assert MemoryReader.serves(model)
    assert MemoryReader.serves(tiny_model().double())
    assert not MemoryReader.serves(tiny_model().to(torch.bfloat16))


@pytest.mark.parametrize("config", [SMALL_HIERA, SMALL_NANO], ids=["hiera", "nano"])
def test_pooled_keys_are_means_of_keys_and_count_for_all(config: ModelConfig):
    model = tiny_model(config, seed=1)
    selection = bank(model, 1).read(9)
    found = []
    for pool in (1, 2):
        reader = MemoryReader(model, pool)
        keys, _ = reader._begin(frame(model).embedding)
        memory = keys.read(selection)
        room = torch.zeros(reader.heads, len(memory.values), keys.head_width)
        keys.lay(memory, 1, room)
        found.append((room, memory))
    (whole, full), (pooled, few) = found
    count, (h, w) = len(full.maps), GRID

    def means(x: torch.Tensor) -> torch.Tensor:
        cells = x[..., : count * h * w, :].unflatten(-2, (count, h // 2, 2, w // 2, 2)).mean((-4, -2))
        return cells.flatten(-4, -2)

    n = count * h * w // 4
    assert torch.allclose(pooled[:, :n], means(whole), atol=1e-5)
    assert torch.allclose(pooled[:, n:], whole[:, 4 * n :], atol=1e-6)  # pointers
    assert torch.allclose(few.values[:n], means(full.values), atol=1e-5)
    assert few.bias is not None
    earlier = torch.zeros(len(full.values)) if full.bias is None else full.bias
    assert torch.allclose(few.bias[:n], earlier[: 4 * n : 4] + math.log(4), atol=1e-5)
    assert torch.allclose(few.bias[n:], earlier[4 * n :])
