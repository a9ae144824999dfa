"""The upscaling of the mask decoder on a :class:`~masklet.model.shared_image.PromptedImage`, tile by tile.

The first transposed convolution, a linear map, is taken of the shared map once. What is left for a prompt runs over
tiles of places small enough for the processor's cache, from stride 16 to mask logits, and only for the masks asked for.
The readable reference is :class:`~masklet.model.mask_decoder.Upscaler`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .mask_decoder import Upscaler
from .shared_image import PromptedImage, SharedImage

TILE = 512  # places at stride 16: 1 MB at stride 4


@dataclass(frozen=True)
class SharedUpscaler:
    """What no prompt changes of the upscaling.

    A transposed convolution of 2x2 and stride 2 maps each place to four of its own, so axes of 2x2 stand beside that of
    the places until the end: ``s8`` and ``s4`` are the four places of the first and of the second.

    Attributes:
        weight8: First convolution, centred over its output channels as the norm wants it.
        shared8: That of the shared map.
        fixed8: Bias, constant and skip, centred.
        norm: The norm.
        weight4: Second convolution.
        skip4: Bias and skip.
        grid: Height and width of the map.
    """

    weight8: Float[Tensor, "c8s8 c"]
    shared8: Float[Tensor, "c8s8 hw"]
    fixed8: Float[Tensor, "c8s8 hw"]
    norm: nn.LayerNorm
    weight4: Float[Tensor, "c4s4 c8"]
    skip4: Float[Tensor, "c4s4 4 hw"]
    grid: tuple[int, int]

    @classmethod
    def of(
        cls, upscaler: Upscaler, image: SharedImage, skip8: Float[Tensor, "c8 h8 w8"], skip4: Float[Tensor, "c4 h4 w4"]
    ) -> SharedUpscaler:
        """Compute it from the reference and the image's skips."""
        grid = skip8.shape[1] // 2, skip8.shape[2] // 2
        assert upscaler.to8.bias is not None
        assert upscaler.to4.bias is not None
        weight8 = _centred(upscaler.to8.weight.permute(1, 2, 3, 0).flatten(1, 2)).flatten(0, 1)  # [c8*s8 c]
        fixed8 = _centred(_fold(skip8) + upscaler.to8.bias[:, None, None]).flatten(0, 1)
        weight4 = upscaler.to4.weight.permute(1, 2, 3, 0).flatten(0, 2)  # [c4*s4 c8]
        fixed4 = fold_twice(skip4) + upscaler.to4.bias[:, None, None, None]
        return cls(
            weight8, weight8 @ image.shared, fixed8 + weight8 @ image.constant, upscaler.norm,
            weight4, fixed4.flatten(0, 1), grid,
        )  # fmt: skip

    def logits(
        self,
        image: PromptedImage,
        weights: Float[Tensor, "m c4"],
        drawn: Float[Tensor, "c4 k"],
        maps: Float[Tensor, "k 4 4 hw"],
    ) -> Float[Tensor, "m h4 w4"]:
        """Logits of masks, each a weighted sum of the channels at stride 4.

        Args:
            image: The prompt's image.
            weights: Of each mask that is asked for.
            drawn: Channels that click maps are drawn in at stride 4.
            maps: Click maps there.
        """
        assert image.scale is not None
        factors, c8, c4 = self.weight8 @ image.factors, self.weight4.shape[1], weights.shape[1]
        m, (h, w) = len(weights), self.grid
        logits = factors.new_empty(m, 2, 2, 2, 2, h * w)  # [m s8y s4y s8x s4x hw]
        sorted_as_made = logits.permute(0, 2, 4, 1, 3, 5)
        for start in range(0, h * w, TILE):
            tile = slice(start, start + TILE)
            x = torch.addcmul(self.fixed8[:, tile], self.shared8[:, tile], image.scale[tile])
            x = x.addmm_(factors, image.rows[:, tile]).view(c8, -1)  # [c8 s8*tile]
            x = x.mul_(x.square().mean(0).add_(self.norm.eps).rsqrt_())
            x = F.gelu(torch.addcmul(self.norm.bias[:, None], x, self.norm.weight[:, None]))
            y = (self.weight4 @ x).view(len(self.weight4), 4, -1).add_(self.skip4[..., tile]).view(c4, -1)
            y.addmm_(drawn, maps[..., tile].flatten(1))
            sorted_as_made[..., tile] = (weights @ F.gelu(y)).view(m, 2, 2, 2, 2, -1)
        logits = logits.view(m, 4, 4, h * w).mT.reshape(m, 4, h, 4 * w)
        return logits.transpose(1, 2).reshape(m, 4 * h, 4 * w)


def fold_twice(x: Float[Tensor, "c h4 w4"]) -> Float[Tensor, "c 4 4 hw"]:
    """Stride 4 to stride 16, with axes for the four places at stride 4 of each at stride 8, and for those of 16."""
    c, h, w = x.shape
    x = x.view(c, h // 4, 2, 2, w // 4, 2, 2)  # [c h s8y s4y w s8x s4x]
    return x.permute(0, 3, 6, 2, 5, 1, 4).reshape(c, 4, 4, h * w // 16)


def _fold(x: Float[Tensor, "c h8 w8"]) -> Float[Tensor, "c 4 hw"]:
    c, h, w = x.shape
    return x.view(c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3).reshape(c, 4, -1)


def _centred(x: Float[Tensor, "c *n"]) -> Float[Tensor, "c *n"]:
    return x - x.mean(0)
