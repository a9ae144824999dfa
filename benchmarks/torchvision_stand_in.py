"""The three transforms that the official image predictor needs of torchvision, where that cannot be imported."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Resize(nn.Module):
    """Antialiased bilinear resize of a float image."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.height, self.width = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Resize ``[c h w]``."""
        size = [self.height, self.width]
        return functional.interpolate(x[None], size, mode="bilinear", align_corners=False, antialias=True)[0]


class Normalize(nn.Module):
    """Mean and deviation of channels."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean, self.std = (torch.tensor(v)[:, None, None] for v in (mean, std))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``[c h w]``."""
        return (x - self.mean) / self.std


class ToTensor:
    """``uint8`` pixels ``[h w c]`` as floats 0..1 ``[c h w]``."""

    def __call__(self, image: np.ndarray) -> torch.Tensor:
        """Convert."""
        return torch.from_numpy(image.transpose(2, 0, 1).copy()).float().div(255)


def stand_in() -> None:
    """Let the stand-ins be imported as torchvision, unless that is there and works."""
    try:
        import torchvision.transforms  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError):
        transforms = ModuleType("torchvision.transforms")
        vars(transforms).update(Resize=Resize, Normalize=Normalize, ToTensor=ToTensor)
        sys.modules["torchvision"] = ModuleType("torchvision")
        sys.modules["torchvision.transforms"] = transforms
