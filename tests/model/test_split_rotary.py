"""Attention by the split rotary code against the readable form, and when it is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from masklet.inference.session import VideoSession
from masklet.model import memory_reader, split_rotary
from masklet.model.config import CONFIGS, ModelConfig
from masklet.model.memory_bank import MemoryBank
from masklet.model.memory_reader import MemoryReader
from masklet.model.sam2 import Sam2
from masklet.model.split_rotary import SplitRotary
from masklet.structures import FrameFeatures, MemoryEntry, Selection
from tiny_model import DISC, SMALL_HIERA, SMALL_NANO, SQUARE, clip, tiny_model

ONE_HEAD = replace(SMALL_HIERA, attention_heads=1)
WIDE = {
    "one head": ONE_HEAD,
    "maps that count more": replace(SMALL_NANO, attention_heads=1, prompted_weight=7.0),
    "two heads": replace(SMALL_HIERA, attention_heads=2, memory_width=SMALL_HIERA.memory_width // 2),
    "2.0": replace(ONE_HEAD, version="2.0"),
}
GRID = (5, 7)


@pytest.fixture(autouse=True)
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It always pays; blocks and pieces are so small that there are several, the last not full."""
    monkeypatch.setattr(split_rotary, "PAYS", 0.0)
    monkeypatch.setattr(split_rotary, "SIDE", 3)
    monkeypatch.setattr(split_rotary, "QUERIES", 8)
    monkeypatch.setattr(memory_reader, "PIECE", 20)
    with torch.inference_mode():
        yield


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many maps were read by the split code, in turn."""
    counts, inside = [], SplitRotary.read
    monkeypatch.setattr(SplitRotary, "read", lambda s, chosen: counts.append(len(chosen.maps)) or inside(s, chosen))
    return counts


def frame(model: Sam2, seed: int = 0) -> FrameFeatures:
    g = torch.Generator().manual_seed(seed)
    embedding = torch.randn(1, model.config.width, *GRID, generator=g).to(model.dtype)
    return FrameFeatures(embedding, torch.zeros(1, 4, 10, 14), torch.zeros(1, 4, 20, 28))


def bank(model: Sam2, seed: int, size: float = 1.0) -> MemoryBank:
    """Memories as sessions keep them, two of them prompted; values are ``size`` times as large as usual."""
    g, config = torch.Generator().manual_seed(seed), model.config
    made = MemoryBank(model.limits)
    for t in range(9):
        features = size * torch.randn(1, config.memory_width, *GRID, generator=g)
        entry = MemoryEntry(features.bfloat16(), torch.randn(1, config.width, generator=g))
        made.write(t, entry, prompted=t in (0, 4))
    return made


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("config", WIDE.values(), ids=WIDE)
def test_it_reads_what_the_readable_form_reads(config: ModelConfig, dtype: torch.dtype, near: float, read: list[int]):
    model = tiny_model(config, seed=1).to(dtype)
    reader, memories = MemoryReader(model), bank(model, 1)
    assert reader.splits
    for t in (1, 3, 9):
        features, selection = frame(model, t), memories.read(t)
        expected = model.condition(features, selection)
        got = reader.condition(features, [selection])
        assert got.dtype == dtype
        assert (got - expected).abs().max() < near
    assert read[0] < read[1] < read[2]
    assert reader.nbytes == 0
    other = model.condition(features, replace(selection, maps=selection.maps[:1], pointers=()))
    assert (other - expected).abs().max() > 1e-2  # else memory would mean nothing here


def test_objects_and_selections_of_every_kind():
    model = tiny_model(ONE_HEAD, seed=1)
    features, reader = frame(model), MemoryReader(model)
    whole, second = bank(model, 1).read(9), bank(model, 2).read(9)
    selections = [whole, replace(whole, pointers=()), Selection(), second]
    together = reader.condition(features, selections)
    for row, selection in zip(together, selections, strict=True):
        assert torch.allclose(row, model.condition(features, selection)[0], atol=2e-5)
        assert torch.equal(row, MemoryReader(model).condition(features, [selection])[0])


def test_scores_far_above_those_of_the_first_block():
    model = tiny_model(ONE_HEAD, seed=1).double()
    reader, g = MemoryReader(model), torch.Generator().manual_seed(0)
    keys, _ = reader._begin(frame(model).embedding)
    split, selection = SplitRotary(keys), bank(model, 1, size=200).read(9)
    query = 20 * torch.randn(GRID[0] * GRID[1], model.config.width, generator=g, dtype=torch.float64)
    memory = keys.read(selection)
    room = query.new_empty(1, len(memory.values), keys.head_width)
    keys.lay(memory, 0, room)
    scores = query @ room[0].T
    first = scores[:, [0, 1, 2, 7, 8, 9]].amax(1)  # among the first block's
    assert (scores.amax(1) - first).max() > 750  # too much for exp, even in double precision
    expected = reader._attend_memory(memory, room, query)
    assert torch.allclose(
        split.attend(split.read(selection), 0, query), expected, atol=1e-8 * float(expected.abs().max())
    )


def test_it_is_for_keys_wider_than_memory_that_is_not_pooled():
    model = tiny_model(ONE_HEAD)
    assert MemoryReader(model).splits
    assert not MemoryReader(model, pool=2).splits
    assert not MemoryReader(tiny_model(SMALL_NANO)).splits  # heads as wide as the memory


def test_it_pays_for_many_maps_of_a_large_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    config = CONFIGS["sam2.1_hiera_tiny"]
    reader = MemoryReader(tiny_model(replace(ONE_HEAD, width=config.width, memory_width=config.memory_width)))
    entry = MemoryEntry(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1))
    found = {}
    for side in (32, 64):
        reader.clear()
        keys, _ = reader._begin(torch.zeros(1, config.width, side, side))
        split = SplitRotary(keys)
        found[side] = [n for n in range(1, 8) if split.pays(Selection(maps=tuple((n, entry) for _ in range(n))))]
    assert found == {32: [3, 4, 5, 6, 7], 64: [2, 3, 4, 5, 6, 7]}


def test_a_session_gives_the_same_masks_saved_in_between(
    monkeypatch: pytest.MonkeyPatch, read: list[int], tmp_path: Path
):
    model, frames = tiny_model(ONE_HEAD, seed=1), clip(10)

    def shown() -> list[np.ndarray]:
        session = VideoSession(frames, model)
        session.prompt(0, 1, points=[DISC])
        session.prompt(0, 2, points=[SQUARE])
        results = list(session.propagate(stop=5))
        session.save(tmp_path / "session")
        results += VideoSession.load(tmp_path / "session", frames, model).propagate(start=5)
        return [result[i].logits for result in results for i in (1, 2)]

    split = shown()
    assert max(read) == model.config.memories
    read.clear()
    monkeypatch.setattr(split_rotary, "PAYS", 100.0)
    kept = shown()
    assert not read
    assert any((a > 0).any() for a in kept)
    for a, b in zip(split, kept, strict=True):
        assert np.array_equal(a > 0, b > 0)
        assert np.allclose(a, b, atol=1e-3)  # what rounding grows to over nine remembered masks
