"""Position codes: fixed sines of maps and of time, and the random Fourier code of prompts."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """The type that positions are computed in: half precision is too coarse for them."""
    return torch.promote_types(dtype, torch.float32)


def _interleaved_sines(x: Tensor, width: int, temperature: float) -> Tensor:
    """Sine on even and cosine on odd channels; x [n] -> [n width]."""
    channel = torch.arange(width, dtype=torch.float32)
    angle = x[:, None] / temperature ** (2 * (channel // 2) / width)
    return torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # training may use a map that was first made for inference
def sine_map(height: int, width: int, channels: int) -> Float[Tensor, "1 c h w"]:
    """Sine code of a map: half of the channels for y, then half for x, each running over 0..2 pi.

    Parity: sam2/modeling/position_encoding.py:16-130.
    """
    half = channels // 2

    def axis(n: int) -> Tensor:
        position = torch.arange(1, n + 1, dtype=torch.float32) / (n + 1e-6) * 2 * math.pi
        return _interleaved_sines(position, half, 10000.0)

    y = axis(height).T[:, :, None].expand(half, height, width)
    x = axis(width).T[:, None, :].expand(half, height, width)
    return torch.cat((y, x))[None].contiguous()


def sine_code(x: Float[Tensor, " n"], channels: int, temperature: float = 10000.0) -> Float[Tensor, "n c"]:
    """Sine code of numbers: all sines, then all cosines.

    Parity: sam2/modeling/sam2_utils.py:64-74.
    """
    half = channels // 2
    channel = torch.arange(half, dtype=torch.float32, device=x.device)
    angle = x[:, None] / temperature ** (2 * (channel // 2) / half)
    return torch.cat((angle.sin(), angle.cos()), dim=1)


def unit_points(points: Float[Tensor, "*b 2"], size: tuple[int, int]) -> Float[Tensor, "*b 2"]:
    """Points ``(x, y)`` in pixels of an input of ``size`` (height, width) as places in the unit square.

    Parity: whole numbers are the centres of pixels (sam2/modeling/sam/prompt_encoder.py:77-90).
    """
    x, y = (points + 0.5).unbind(-1)
    return torch.stack((x / size[1], y / size[0]), dim=-1)


class FourierCode(nn.Module):
    """Random Fourier features of points in the unit square (arXiv 2006.10739), shared by prompts and image."""

    matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.randn(2, channels // 2))

    def forward(self, unit_points: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b c"]:
        """Code of ``(x, y)`` points in 0..1."""
        return _fourier_code(self.matrix, unit_points)

    def map(self, height: int, width: int) -> Float[Tensor, "1 c h w"]:
        """Code of the cell centres of a map; that of an inference on a CPU is kept, so do not change it."""
        kept = torch.is_inference_mode_enabled() and self.matrix.device.type == "cpu"
        if not kept or torch.is_autocast_enabled("cpu"):
            return _fourier_map(self.matrix, height, width)
        numbers = self.matrix.contiguous().view(torch.uint8).numpy().tobytes()
        return _kept_fourier_map(numbers, self.matrix.dtype, height, width)


def _fourier_code(matrix: Float[Tensor, "2 half"], unit_points: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b c"]:
    precise = at_least_float32(matrix.dtype)
    angle = 2 * math.pi * ((2 * unit_points.to(precise) - 1) @ matrix.to(precise))
    return torch.cat((angle.sin(), angle.cos()), dim=-1).to(matrix.dtype)


def _fourier_map(matrix: Float[Tensor, "2 half"], height: int, width: int) -> Float[Tensor, "1 c h w"]:
    place = {"device": matrix.device, "dtype": at_least_float32(matrix.dtype)}
    y = (torch.arange(height, **place) + 0.5) / height
    x = (torch.arange(width, **place) + 0.5) / width
    grid = torch.stack((x[None, :].expand(height, width), y[:, None].expand(height, width)), dim=-1)
    return _fourier_code(matrix, grid).permute(2, 0, 1)[None]


@lru_cache(maxsize=8)
def _kept_fourier_map(matrix: bytes, dtype: torch.dtype, height: int, width: int) -> Float[Tensor, "1 c h w"]:
    """The map of a matrix, by its numbers: of a model that was trained or loaded anew nothing old is left."""
    return _fourier_map(torch.frombuffer(bytearray(matrix), dtype=dtype).view(2, -1), height, width)
