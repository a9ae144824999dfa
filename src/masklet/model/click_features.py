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


class ClickFeatures(nn.Module):
    """Adds image features to click tokens, and soft maps of clicks and boxes to the strides 16 and 4."""

    def __init__(self, width: int, skip_width: int) -> None:
        super().__init__()
        self.under_click = nn.Linear(width, width)
        self.coarse = nn.Conv2d(3, width, 1, bias=False)
        self.fine = nn.Conv2d(3, skip_width, 1, bias=False)

    def tokens(self, embedding: Float[Tensor, "b c h w"], prompts: Prompts, image_size: int) -> Float[Tensor, "b m c"]:
        """What to add to the sparse tokens: the embedding at each click, zero for corners and padding."""
        assert prompts.points is not None and prompts.labels is not None
        grid = (prompts.points + 0.5) / image_size * 2 - 1
        grid = grid[:, :, None].to(embedding)
        sampled = F.grid_sample(embedding, grid, align_corners=False)[..., 0].transpose(1, 2)  # [b n c]
        clicked = ((prompts.labels == 0) | (prompts.labels == 1))[..., None]
        return F.pad(self.under_click(sampled) * clicked, (0, 0, 0, 1))

    def maps(self, prompts: Prompts, side: int, image_size: int) -> tuple[Tensor, Tensor]:
        """What to add to the embedding (side ``side``) and to the stride-4 skip."""
        coarse = soft_maps(prompts, side, image_size, sigma=16.0)
        fine = soft_maps(prompts, 4 * side, image_size, sigma=8.0)
        return self.coarse(coarse.to(self.coarse.weight)), self.fine(fine.to(self.fine.weight))


def soft_maps(prompts: Prompts, side: int, image_size: int, sigma: float) -> Float[Tensor, "b 3 side side"]:
    """Maps of negative clicks, positive clicks (Gaussians of ``sigma`` pixels) and the inside of the box."""
    points, labels = prompts.points, prompts.labels
    assert points is not None and labels is not None
    centre = (torch.arange(side, device=points.device, dtype=points.dtype) + 0.5) * (image_size / side)
    offset = centre - (points[..., None] + 0.5)  # [b n 2 side]
    bell = torch.exp(-0.5 * (offset / sigma) ** 2)
    bell = bell[:, :, 1, :, None] * bell[:, :, 0, None, :]  # [b n side side]
    clicks = [(bell * (labels == label)[..., None, None]).amax(1) for label in (0, 1)]
    ramp = torch.sigmoid(offset / (0.5 * sigma))
    after = ramp[:, :, 1, :, None] * ramp[:, :, 0, None, :]  # right of and below the point
    before = (1 - ramp)[:, :, 1, :, None] * (1 - ramp)[:, :, 0, None, :]
    first = (after * (labels == 2)[..., None, None]).amax(1)
    second = (before * (labels == 3)[..., None, None]).amax(1)
    return torch.stack((*clicks, first * second), dim=1)
