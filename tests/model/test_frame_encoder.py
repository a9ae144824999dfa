from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from masklet.model.config import CONFIGS, HieraConfig, ModelConfig
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.sam2 import Sam2
from masklet.model.streamed_efficientnet import StreamedEfficientNet
from masklet.structures import FrameFeatures

SMALL = replace(
    CONFIGS["sam2.1_hiera_tiny"], trunk=HieraConfig(8, 1, (1, 2, 3, 1), (4,), (8, 4, 6, 3), position_grid=3)
)


def model(config: ModelConfig = SMALL, std: float = 0.2) -> Sam2:
    torch.manual_seed(0)
    model = Sam2(replace(config, image_size=64)).eval()
    for p in model.image_encoder.parameters():
        torch.nn.init.normal_(p, std=std)
    return model


def largest_difference(a: FrameFeatures, b: FrameFeatures) -> float:
    pairs = [(getattr(a, name), getattr(b, name)) for name in ("embedding", "skip8", "skip4")]
    assert all(x.shape == y.shape for x, y in pairs)
    return max(float((x - y).abs().max() / y.abs().max()) for x, y in pairs)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, 3, 64, 96)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_features(shape: tuple[int, ...], dtype: torch.dtype):
    sam2 = model().to(dtype)
    image = torch.randn(shape)
    with torch.no_grad():
        wanted = sam2.encode_image(image)
    got = FrameEncoder(sam2)(image)
    assert got.embedding.dtype == dtype
    assert largest_difference(got, wanted) < (1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("config", [CONFIGS["nano"], SMALL], ids=["nano", "official"])
def test_skips_lie_in_planes_and_the_embedding_does_not(config: ModelConfig):
    got = FrameEncoder(model(config))(torch.randn(1, 3, 64, 96))
    assert got.skip4.is_contiguous()
    assert got.skip8.is_contiguous()
    assert got.embedding.is_contiguous(memory_format=torch.channels_last)


def test_autocast_around_it_changes_nothing():
    sam2, image = model(), torch.randn(1, 3, 64, 64)
    alone = FrameEncoder(sam2)(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = FrameEncoder(sam2)(image)
    assert largest_difference(inside, alone) == 0


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (2, 3, 96, 160)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_features_of_nano(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], dtype: torch.dtype):
    sam2, image = model(CONFIGS["nano"], std=0.1).to(dtype), torch.randn(shape)
    with torch.no_grad():
        wanted = sam2.encode_image(image)
    called = []
    original = StreamedEfficientNet.__call__
    monkeypatch.setattr(StreamedEfficientNet, "__call__", lambda *a: called.append(1) or original(*a))
    got = FrameEncoder(sam2)(image)
    assert len(called) == len(image)
    assert got.embedding.dtype == dtype
    assert largest_difference(got, wanted) < (1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("config", [CONFIGS["nano"], SMALL], ids=["nano", "official"])
def test_half_precision_takes_the_readable_way(config: ModelConfig):
    sam2, image = model(config).bfloat16(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert largest_difference(FrameEncoder(sam2)(image), sam2.encode_image(image)) == 0
