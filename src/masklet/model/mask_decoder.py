"""Mask decoder: tokens and the conditioned image to four masks, their predicted IoU and object presence.

Parity: sam2/modeling/sam/mask_decoder.py. Token order: presence, IoU, four masks, prompts.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import MLP, LayerNorm2d
from .two_way import TwoWayTransformer

MASKS = 4
Decoded = tuple[Float[Tensor, "b 4 h4 w4"], Float[Tensor, "b 4"], Float[Tensor, " b"], Float[Tensor, "b 4 c"]]
"""Masks, predicted IoU, presence logits and mask tokens."""


class Upscaler(nn.Module):
    """Stride 16 to stride 4 by transposed convolutions; image skips are added before the norm and the activation."""

    def __init__(self, width: int, skip8: int, skip4: int) -> None:
        super().__init__()
        self.to8 = nn.ConvTranspose2d(width, skip8, 2, 2)
        self.norm = LayerNorm2d(skip8)
        self.to4 = nn.ConvTranspose2d(skip8, skip4, 2, 2)

    def forward(self, x: Tensor, skip8: Tensor, skip4: Tensor) -> Float[Tensor, "b c4 h4 w4"]:
        """Upscale a stride-16 map."""
        x = F.gelu(self.norm(self.to8(x) + skip8))
        return F.gelu(self.to4(x) + skip4)


class MaskDecoder(nn.Module):
    """Predicts masks of a batch of prompted objects."""

    def __init__(self, width: int, skips: tuple[int, int], hidden: int = 2048) -> None:
        super().__init__()
        self.presence_token = nn.Parameter(torch.randn(1, width))
        self.iou_token = nn.Parameter(torch.randn(1, width))
        self.mask_tokens = nn.Parameter(torch.randn(MASKS, width))
        self.transformer = TwoWayTransformer(width, hidden=hidden)
        self.upscaler = Upscaler(width, *skips)
        self.mask_heads = nn.ModuleList(MLP((width, width, width, skips[1])) for _ in range(MASKS))
        self.iou_head = MLP((width, width, width, MASKS))
        self.presence_head = MLP((width, width, width, 1))

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        image_code: Float[Tensor, "1 c h w"],
        skip8: Tensor,
        skip4: Tensor,
        sparse: Float[Tensor, "b n c"] | None,
    ) -> Decoded:
        """Masks, predicted IoU, presence logits and mask tokens.

        Args:
            image: Conditioned embedding plus the dense prompt.
            image_code: Fourier code of the image's cells.
            skip8: Stride-8 skip of the same images.
            skip4: Stride-4 skip of the same images.
            sparse: Prompt tokens.
        """
        b, c, h, w = image.shape
        tokens, pixels = self.transformer(
            self.tokens(b, sparse), image.flatten(2).transpose(1, 2), image_code.flatten(2).transpose(1, 2)
        )
        presence, iou, masks, weights = self.read_out(tokens)
        fine = self.upscaler(pixels.transpose(1, 2).reshape(b, c, h, w), skip8, skip4)
        logits = (weights @ fine.flatten(2)).unflatten(2, fine.shape[-2:])
        return logits, iou, presence, masks

    def tokens(self, b: int, sparse: Float[Tensor, "b n c"] | None) -> Float[Tensor, "b t c"]:
        """Tokens of ``b`` objects before they see the image."""
        tokens = torch.cat((self.presence_token, self.iou_token, self.mask_tokens))[None].expand(b, -1, -1)
        return tokens if sparse is None else torch.cat((tokens, sparse), dim=1)

    def read_out(self, tokens: Float[Tensor, "b t c"]) -> tuple[Tensor, Tensor, Tensor, Float[Tensor, "b 4 c4"]]:
        """Presence logits, predicted IoU, mask tokens, and what each mask takes of the channels at stride 4."""
        presence, iou, masks = tokens[:, 0], tokens[:, 1], tokens[:, 2 : 2 + MASKS]
        weights = torch.stack([head(masks[:, i]) for i, head in enumerate(self.mask_heads)], dim=1)
        return self.presence_head(presence)[:, 0], self.iou_head(iou).sigmoid(), masks, weights
