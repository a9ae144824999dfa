from __future__ import annotations

import pytest
import torch

from masklet.model.rope import axial_rotation, rotate


def complex_rotate(x: torch.Tensor, height: int, width: int, theta: float) -> torch.Tensor:
    """The definition: adjacent channels are complex numbers, multiplied by unit numbers of the position."""
    channels = x.shape[-1]
    frequency = 1.0 / theta ** (4 * torch.arange(channels // 4) / channels)
    y, x_ = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    angle = torch.cat((x_.reshape(-1, 1) * frequency, y.reshape(-1, 1) * frequency), dim=1)
    unit = torch.polar(torch.ones_like(angle), angle).repeat(x.shape[2] // (height * width), 1)
    numbers = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(numbers * unit).flatten(-2)


@pytest.mark.parametrize(("height", "width", "frames"), [(4, 4, 1), (3, 5, 1), (2, 3, 4)])
@pytest.mark.parametrize("theta", [100.0, 10000.0])
def test_the_real_form_is_a_complex_product(height: int, width: int, frames: int, theta: float):
    x = torch.randn(2, 3, frames * height * width, 16, generator=torch.Generator().manual_seed(0))
    turned = rotate(x, axial_rotation(height, width, 16, theta))
    assert torch.allclose(turned, complex_rotate(x, height, width, theta), atol=1e-6)


def test_scores_depend_on_the_difference_of_positions_only():
    g = torch.Generator().manual_seed(1)
    q, k = torch.randn(16, generator=g), torch.randn(16, generator=g)
    table = axial_rotation(6, 6, 16, 100.0)
    turned_q = rotate(q.expand(1, 1, 36, 16), table)[0, 0]
    turned_k = rotate(k.expand(1, 1, 36, 16), table)[0, 0]
    scores = (turned_q @ turned_k.T).reshape(6, 6, 6, 6)  # [y x y x]
    assert torch.allclose(scores[:5, :4, 1:, 2:].diagonal(0, 0, 2).diagonal(0, 0, 1), scores[0, 0, 1, 2], atol=1e-5)
    assert (scores[0, 0, 1, 2] - scores[0, 0, 2, 1]).abs() > 1e-3  # x and y are told apart


def test_half_precision_stays_half_precision():
    x = torch.randn(1, 1, 4, 8).bfloat16()
    assert rotate(x, axial_rotation(2, 2, 8, 100.0)).dtype == torch.bfloat16


def test_a_table_made_for_inference_serves_training():
    with torch.inference_mode():
        table = axial_rotation(7, 3, 8, 77.0)
    x = torch.randn(1, 1, 21, 8, requires_grad=True)
    rotate(x, table).sum().backward()
    assert x.grad is not None
