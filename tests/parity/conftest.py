from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional


class Resize(nn.Module):
    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.height, self.width = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = [self.height, self.width]
        return functional.interpolate(x[None], size, mode="bilinear", align_corners=False, antialias=True)[0]


class Normalize(nn.Module):
    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean, self.std = (torch.tensor(v)[:, None, None] for v in (mean, std))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.std


class ToTensor:
    def __call__(self, image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image.transpose(2, 0, 1).copy()).float().div(255)


@pytest.fixture
def torchvision(monkeypatch):
    """The three transforms that the official image predictor needs, where torchvision cannot be imported."""
    try:
        import torchvision.transforms  # noqa: F401
    except (ImportError, RuntimeError):
        made = ModuleType("torchvision.transforms")
        made.Resize, made.Normalize, made.ToTensor = Resize, Normalize, ToTensor  # pyright: ignore
        monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
        monkeypatch.setitem(sys.modules, "torchvision.transforms", made)
