from __future__ import annotations

import pytest
import torch

from masklet.model import streamed_hiera
from masklet.model.config import HieraConfig
from masklet.model.hiera import Hiera
from masklet.model.projection import Projection
from masklet.model.streamed_hiera import StreamedHiera

CONFIG = HieraConfig(8, 1, (1, 2, 3, 2), (4,), (8, 4, 6, 3), position_grid=3)


def unchanged(dtype: torch.dtype = torch.float64) -> list[Projection]:
    return [Projection(torch.eye(8 * 2**i, dtype=dtype), torch.zeros(8 * 2**i, dtype=dtype)) for i in range(4)]


def trunk(config: HieraConfig = CONFIG) -> Hiera:
    torch.manual_seed(0)
    trunk = Hiera(config).eval().double()
    for p in trunk.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return trunk


@pytest.mark.parametrize("band", [1, 64, 10**6])
@pytest.mark.parametrize("size", [(32, 32), (96, 160), (224, 192)])
def test_the_same_maps(monkeypatch: pytest.MonkeyPatch, band: int, size: tuple[int, int]):
    monkeypatch.setattr(streamed_hiera, "BAND", band)
    hiera = trunk()
    image = torch.randn(1, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        wanted = hiera(image)
    got = StreamedHiera(hiera)(image, unchanged())
    for a, b in zip(got, wanted, strict=True):
        assert torch.allclose(a, b[0].permute(1, 2, 0), rtol=1e-10, atol=1e-10)


def test_in_single_precision_it_is_as_near_to_double_as_the_readable_form():
    torch.manual_seed(0)
    hiera = Hiera(CONFIG).eval()
    image = torch.randn(1, 3, 224, 192)
    with torch.no_grad():
        readable, exact = hiera(image), hiera.double()(image.double())
    streamed = StreamedHiera(hiera.float())(image, unchanged(torch.float32))
    for got, near, true in zip(streamed, readable, exact, strict=True):
        error = (got.permute(2, 0, 1)[None] - true).norm()
        assert 0 < error < 1.5 * (near - true).norm()


def test_the_size_may_change_from_image_to_image():
    hiera = trunk()
    streamed = StreamedHiera(hiera)
    for size in [(64, 64), (64, 96), (96, 64), (64, 64)]:
        image = torch.randn(1, 3, *size, dtype=torch.float64)
        with torch.no_grad():
            assert torch.allclose(streamed(image, unchanged())[3], hiera(image)[3][0].permute(1, 2, 0))


def test_maps_that_were_given_stay():
    streamed = StreamedHiera(trunk())
    first = streamed(torch.randn(1, 3, 64, 64, dtype=torch.float64), unchanged())
    kept = [x.clone() for x in first]
    streamed(torch.randn(1, 3, 64, 64, dtype=torch.float64), unchanged())
    assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.parametrize(
    "config", [HieraConfig(8, 1, (1, 1, 1, 1), (2,)), HieraConfig(8, 1, (1, 1, 1, 1), (), (8, 5, 6, 3))]
)
def test_blocks_of_another_kind_are_left_to_the_readable_form(config: HieraConfig):
    assert not StreamedHiera.serves(trunk(config))
    assert StreamedHiera.serves(trunk())
