"""Two additions of ``nano`` to SAM 2's prompts: the image feature under a click, and clicks and boxes as soft maps.

A model trained for hours instead of weeks learns from position codes alone only slowly where a click is; these say it
outright. Official models do not have them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import Prompts
from .position import unit_points


class ClickFeatures(nn.Module):
    """Adds image features to click tokens, and soft maps of clicks and boxes to the strides 16 and 4."""

    def __init__(self, width: int, skip_width: int) -> None:
        super().__init__()
        self.under_click = nn.Linear(width, width)
        self.coarse = nn.Conv2d(3, width, 1, bias=False)
        self.fine = nn.Conv2d(3, skip_width, 1, bias=False)

    def tokens(
        self, embedding: Float[Tensor, "b c h w"], prompts: Prompts, size: tuple[int, int]
    ) -> Float[Tensor, "b m c"]:
        """What to add to the sparse tokens: the embedding at each click, zero for corners and padding."""
        assert prompts.points is not None and prompts.labels is not None
        grid = unit_points(prompts.points, size) * 2 - 1
        grid = grid[:, :, None].to(embedding)
        sampled = F.grid_sample(embedding, grid, align_corners=False)[..., 0].transpose(1, 2)  # [b n c]
        clicked = ((prompts.labels == 0) | (prompts.labels == 1))[..., None]
        return F.pad(self.under_click(sampled) * clicked, (0, 0, 0, 1))

    def maps(self, prompts: Prompts, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """What to add to the embedding and to the stride-4 skip of an input of ``size`` (height, width)."""
        coarse, fine = self.undrawn(prompts, size)
        return self.coarse(coarse), self.fine(fine)

    def undrawn(
        self, prompts: Prompts, size: tuple[int, int]
    ) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 3 h4 w4"]]:
        """The soft maps at strides 16 and 4 that :meth:`maps` draws in channels of its own."""
        coarse = soft_maps(prompts, size, stride=16, sigma=16.0)
        fine = soft_maps(prompts, size, stride=4, sigma=8.0)
        return coarse.to(self.coarse.weight), fine.to(self.fine.weight)


def soft_maps(prompts: Prompts, size: tuple[int, int], stride: int, sigma: float) -> Float[Tensor, "b 3 h w"]:
    """Maps of negative clicks, positive clicks (Gaussians of ``sigma`` pixels) and the inside of the box."""
    points, labels = prompts.points, prompts.labels
    assert points is not None and labels is not None

    def offsets(axis: int, length: int) -> Float[Tensor, "b n cells"]:
        centre = (torch.arange(length // stride, device=points.device, dtype=points.dtype) + 0.5) * stride
        return centre - (points[..., axis, None] + 0.5)

    x, y = offsets(0, size[1]), offsets(1, size[0])
    bell = _outer(torch.exp(-0.5 * (y / sigma) ** 2), torch.exp(-0.5 * (x / sigma) ** 2))
    clicks = [(bell * (labels == label)[..., None, None]).amax(1) for label in (0, 1)]
    right, below = torch.sigmoid(x / (0.5 * sigma)), torch.sigmoid(y / (0.5 * sigma))
    first = (_outer(below, right) * (labels == 2)[..., None, None]).amax(1)
    second = (_outer(1 - below, 1 - right) * (labels == 3)[..., None, None]).amax(1)
    return torch.stack((*clicks, first * second), dim=1)


def _outer(y: Float[Tensor, "b n h"], x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n h w"]:
    return y[..., :, None] * x[..., None, :]
