"""Two-way transformer: prompt tokens read the image and the image reads the tokens (SAM, appendix A).

Parity: sam2/modeling/sam/transformer.py:19-248.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from .attention import Attention
from .layers import MLP

Tokens = Float[Tensor, "b n c"]
ImageTokens = Float[Tensor, "b hw c"]
ImageCode = Float[Tensor, "#b hw c"]


class TwoWayLayer(nn.Module):
    """Token self-attention, tokens to image, token MLP, image to tokens; norms after each.

    The first layer attends among tokens without position codes and without a residual.
    """

    def __init__(self, width: int, heads: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attention = Attention(width, heads)
        self.token_to_image = Attention(width, heads, inner=width // 2)
        self.image_to_token = Attention(width, heads, inner=width // 2)
        self.mlp = MLP((width, hidden, width))
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.LayerNorm(width) for _ in range(4))

    def forward(
        self, tokens: Tokens, image: ImageTokens, token_code: Tokens, image_code: ImageCode
    ) -> tuple[Tokens, ImageTokens]:
        """One exchange."""
        tokens = self.attend_tokens(tokens, token_code)
        k = image + image_code
        tokens = self.norm2(tokens + self.token_to_image(tokens + token_code, k, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.image_to_token(k, tokens + token_code, tokens))
        return tokens, image

    def attend_tokens(self, tokens: Tokens, token_code: Tokens) -> Tokens:
        """Attention among tokens."""
        if self.first:
            return self.norm1(self.self_attention(tokens, tokens, tokens))
        q = tokens + token_code
        return self.norm1(tokens + self.self_attention(q, q, tokens))


class TwoWayTransformer(nn.Module):
    """Two exchanges and a last look of the tokens at the image."""

    def __init__(self, width: int, heads: int = 8, hidden: int = 2048, depth: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayLayer(width, heads, hidden, first=i == 0) for i in range(depth))
        self.token_to_image = Attention(width, heads, inner=width // 2)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tokens, image: ImageTokens, image_code: ImageCode) -> tuple[Tokens, ImageTokens]:
        """Updated tokens and image; the tokens given are their own position code."""
        code = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, code, image_code)
        tokens = tokens + self.token_to_image(tokens + code, image + image_code, image)
        return self.norm(tokens), image
