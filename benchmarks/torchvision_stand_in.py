"""What the official image predictor and mask generator need of torchvision, where that cannot be imported."""

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


def box_area(boxes: torch.Tensor) -> torch.Tensor:
    """Areas of boxes ``[n 4]``, first and last corners."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Boxes ``[n 4]`` of one class that stay, by descending score: one after another, as the definition says."""
    assert not idxs.any(), "one class only"
    kept: list[int] = []
    for k in scores.sort(descending=True, stable=True).indices.tolist():
        better = boxes[kept]
        corners = torch.minimum(better[:, 2:], boxes[k, 2:]) - torch.maximum(better[:, :2], boxes[k, :2])
        shared = corners.clamp(min=0).prod(1)
        overlap = shared / (box_area(better) + box_area(boxes[k : k + 1]) - shared)
        if not (overlap.double() > iou_threshold).any():
            kept.append(k)
    return torch.tensor(kept, dtype=torch.long)


def modules() -> dict[str, ModuleType]:
    """The stand-ins by the names of the modules they stand for."""
    transforms, boxes = ModuleType("torchvision.transforms"), ModuleType("torchvision.ops.boxes")
    vars(transforms).update(Resize=Resize, Normalize=Normalize, ToTensor=ToTensor)
    vars(boxes).update(batched_nms=batched_nms, box_area=box_area)
    packages = {name: ModuleType(name) for name in ("torchvision", "torchvision.ops")}
    return {**packages, transforms.__name__: transforms, boxes.__name__: boxes}


def stand_in() -> None:
    """Let the stand-ins be imported as torchvision, unless that is there and works."""
    try:
        import torchvision.transforms  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError):
        sys.modules.update(modules())
