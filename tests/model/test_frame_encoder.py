from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from masklet.model.config import CONFIGS, HieraConfig, ModelConfig
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.sam2 import Sam2
from masklet.structures import FrameFeatures

SMALL = replace(
    CONFIGS["sam2.1_hiera_tiny"], trunk=HieraConfig(8, 1, (1, 2, 3, 1), (4,), (8, 4, 6, 3), position_grid=3)
)


def model(config: ModelConfig = SMALL) -> Sam2:
    torch.manual_seed(0)
    model = Sam2(replace(config, image_size=64)).eval()
    for p in model.image_encoder.parameters():
        torch.nn.init.normal_(p, std=0.2)
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


def test_autocast_around_it_changes_nothing():
    sam2, image = model(), torch.randn(1, 3, 64, 64)
    alone = FrameEncoder(sam2)(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = FrameEncoder(sam2)(image)
    assert largest_difference(inside, alone) == 0


@pytest.mark.parametrize("other", ["nano", "half"])
def test_other_models_take_the_readable_way(other: str):
    sam2 = model(CONFIGS["nano"]) if other == "nano" else model().bfloat16()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert largest_difference(FrameEncoder(sam2)(image), sam2.encode_image(image)) == 0
