from __future__ import annotations

import math

import pytest
import torch

from masklet.model.position import FourierCode, sine_code, sine_map


def test_a_map_code_is_y_then_x_with_interleaved_sines():
    code = sine_map(3, 5, 8)[0]
    for y in range(3):
        for x in range(5):
            for offset, place in ((0, (y + 1) / 3), (4, (x + 1) / 5)):
                angle = [place * 2 * math.pi / 10000 ** (2 * (i // 2) / 4) for i in range(4)]
                wave = [math.sin(angle[0]), math.cos(angle[1]), math.sin(angle[2]), math.cos(angle[3])]
                assert code[offset : offset + 4, y, x].tolist() == pytest.approx(wave, abs=1e-5)


def test_a_code_of_numbers_is_all_sines_then_all_cosines():
    code = sine_code(torch.tensor([0.0, 0.5]), 8)
    assert code[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    angle = [0.5 / 10000 ** (2 * (i // 2) / 4) for i in range(4)]
    assert code[1].tolist() == pytest.approx([*map(math.sin, angle), *map(math.cos, angle)])


def test_a_fourier_map_is_the_code_of_cell_centres():
    torch.manual_seed(0)
    code = FourierCode(8)
    image = code.map(2, 4)
    assert image.shape == (1, 8, 2, 4)
    assert torch.allclose(image[0, :, 1, 2], code(torch.tensor([2.5 / 4, 1.5 / 2])), atol=1e-6)
    expected = 2 * math.pi * (torch.tensor([0.25, 0.5]) @ code.matrix)  # (x, y) in -1..1
    assert torch.allclose(image[0, :, 1, 2], torch.cat((expected.sin(), expected.cos())), atol=1e-5)


def test_a_map_made_for_inference_serves_training():
    with torch.inference_mode():
        code = sine_map(9, 2, 8)
    weight = torch.ones(1, requires_grad=True)
    (weight * code).sum().backward()
    assert weight.grad is not None


@torch.inference_mode()
def test_a_kept_fourier_map_is_that_of_the_numbers_that_are_there_now():
    code = FourierCode(8)
    first = code.map(2, 4)
    assert code.map(2, 4) is first
    assert code.map(4, 2).shape == (1, 8, 4, 2)
    code.matrix.mul_(2)
    assert not torch.allclose(code.map(2, 4), first)
    code.matrix.div_(2)
    assert torch.equal(code.map(2, 4), first)
    assert code.double().map(2, 4).dtype == torch.float64
    assert code.bfloat16().map(2, 4).dtype == torch.bfloat16


def test_training_makes_a_fourier_map_of_its_own():
    code = FourierCode(8)
    with torch.inference_mode():
        kept = code.map(2, 4)
    made = code.map(2, 4)
    assert not made.is_inference()
    assert torch.equal(made, kept)
