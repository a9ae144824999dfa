"""The streamed memory encoder gives what the module gives."""

from __future__ import annotations

import pytest
import torch

from masklet.model import streamed_memory_encoder
from masklet.model.memory_encoder import MemoryEncoder
from masklet.model.streamed_memory_encoder import StreamedMemoryEncoder

TOLERANCE = {torch.float32: 5e-6, torch.float64: 1e-13}
WIDTHS = (4, 8, 24, 32)  # channels first, then last


def lively(dtype: torch.dtype) -> MemoryEncoder:
    """An encoder whose norms, biases and layer scales are not those of a new one."""
    torch.manual_seed(0)
    encoder = MemoryEncoder(32, 16, WIDTHS).to(dtype).eval()
    with torch.no_grad():
        for weight in encoder.parameters():
            if weight.ndim == 1:
                weight.add_(0.5 * torch.randn_like(weight))
    return encoder


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("band", [13, 1024])
def test_the_same_memory(dtype: torch.dtype, images: int, band: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streamed_memory_encoder, "BAND", band)
    encoder = lively(dtype)
    embedding, mask = torch.randn(images, 32, 6, 8, dtype=dtype), 10 * torch.randn(3, 1, 96, 128, dtype=dtype)
    given = embedding.clone(), mask.clone()
    with torch.no_grad():
        wanted = encoder(embedding, mask)
    got = StreamedMemoryEncoder(encoder)(embedding, mask)
    assert got.dtype == dtype
    assert got.shape == wanted.shape
    assert wanted.std() > 0.1
    assert (got - wanted).abs().max() < TOLERANCE[dtype] * wanted.abs().max()
    assert torch.equal(embedding, given[0])
    assert torch.equal(mask, given[1])


def test_another_frame_is_projected_anew():
    encoder = lively(torch.float32)
    streamed, mask = StreamedMemoryEncoder(encoder), 10 * torch.randn(1, 1, 96, 64)
    frames = [torch.randn(1, 32, 6, 4) for _ in range(2)]
    first, second, again = (streamed(frame, mask) for frame in (*frames, frames[0]))
    assert (first - second).abs().max() > 0.01
    assert torch.equal(first, again)
    assert torch.equal(first, streamed(frames[0], mask))  # of the projection that was kept
    streamed.clear()
    assert torch.equal(first, streamed(frames[0], mask))


def test_autocast_around_it_changes_nothing():
    streamed = StreamedMemoryEncoder(lively(torch.float32))
    embedding, mask = torch.randn(1, 32, 4, 6), 10 * torch.randn(1, 1, 64, 96)
    alone = streamed(embedding, mask)
    streamed.clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(streamed(embedding, mask), alone)
