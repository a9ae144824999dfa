"""Axial rotary position code (arXiv 2104.09864, 2403.13298), real-valued so that it exports and compiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from .position import at_least_float32


@dataclass(frozen=True)
class Rotation:
    """Cosines and sines of the angle of each position and channel pair."""

    cos: Float[Tensor, "n half"]
    sin: Float[Tensor, "n half"]

    def to(self, device: torch.device) -> Rotation:
        """The same table on a device."""
        return Rotation(self.cos.to(device), self.sin.to(device))


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # training may use a table that was first made for inference
def axial_rotation(height: int, width: int, channels: int, theta: float) -> Rotation:
    """Table for a map: the first half of the channel pairs turns with x, the second with y.

    Parity: sam2/modeling/position_encoding.py:185-239.
    """
    frequency = theta ** -(torch.arange(0, channels, 4, dtype=torch.float32)[: channels // 4] / channels)
    index = torch.arange(height * width)
    x = (index % width).float()[:, None] * frequency
    y = torch.div(index, width, rounding_mode="floor").float()[:, None] * frequency
    angle = torch.cat((x, y), dim=1)  # [n channels/2]
    return Rotation(angle.cos(), angle.sin())


def rotate(x: Float[Tensor, "b h n c"], rotation: Rotation) -> Float[Tensor, "b h n c"]:
    """Turn each pair of adjacent channels by the angle of its position.

    ``n`` may be a multiple of the table's length: every memory frame gets the same rotation.
    """
    length = rotation.cos.shape[0]
    b, h, n, c = x.shape
    pairs = x.to(at_least_float32(x.dtype)).reshape(b, h, n // length, length, c // 2, 2)
    a, d = pairs.unbind(-1)
    turned = torch.stack((a * rotation.cos - d * rotation.sin, a * rotation.sin + d * rotation.cos), dim=-1)
    return turned.reshape(b, h, n, c).to(x.dtype)
