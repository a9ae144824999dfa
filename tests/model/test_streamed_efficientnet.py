from __future__ import annotations

import pytest
import torch

from masklet.model import streamed_efficientnet
from masklet.model.efficientnet import EfficientNetLite
from masklet.model.projection import Projection
from masklet.model.streamed_efficientnet import StreamedEfficientNet

UNCHANGED = [Projection(torch.eye(n).double(), torch.zeros(n).double()) for n in (24, 40, 112, 320)]


def trunk() -> EfficientNetLite:
    """One whose activations are cut at both ends, and whose biases make the padding of hidden maps matter."""
    torch.manual_seed(0)
    trunk = EfficientNetLite().eval().double()
    for p in trunk.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return trunk


@pytest.mark.parametrize("room", [1, 2**14, 2**30])
@pytest.mark.parametrize("size", [(32, 32), (96, 160), (224, 64)])
def test_the_same_maps(monkeypatch: pytest.MonkeyPatch, room: int, size: tuple[int, int]):
    monkeypatch.setattr(streamed_efficientnet, "ROOM", room)
    readable = trunk()
    image = torch.randn(1, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        wanted = readable(image)
    got = StreamedEfficientNet(readable)(image, UNCHANGED)
    for a, b in zip(got, wanted, strict=True):
        assert a.is_contiguous()
        assert torch.allclose(a, b[0].permute(1, 2, 0), rtol=1e-10, atol=1e-10 * float(b.abs().max()))


def test_maps_that_were_given_stay():
    streamed = StreamedEfficientNet(trunk())
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    given = image.clone()
    first = streamed(image, UNCHANGED)
    kept = [x.clone() for x in first]
    streamed(torch.randn(1, 3, 64, 64, dtype=torch.float64), UNCHANGED)
    assert torch.equal(image, given)
    assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))
