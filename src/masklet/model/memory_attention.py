"""Memory attention: the current frame's embedding attends to itself and to the memory (paper, section 4).

Parity: sam2/modeling/memory_attention.py and sam2/modeling/sam/transformer.py:251-311.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from .attention import Attention
from .layers import MLP
from .memory_tokens import Tokens
from .position import sine_map
from .rope import Rotation, axial_rotation

INPUT_POSITION_SCALE = 0.1


class MemoryAttentionLayer(nn.Module):
    """Self-attention, cross-attention to memory, MLP; norms before each."""

    def __init__(self, width: int, memory_width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = Attention(width, heads)
        self.cross_attention = Attention(width, heads, source_width=memory_width)
        self.mlp = MLP((width, hidden, width))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b n c"], memory: Tokens, rotation: Rotation) -> Float[Tensor, "b n c"]:
        """One layer."""
        y = self.norm1(x)
        x = x + self.dropout(self.self_attention(y, y, y, rotation))
        keys = memory.values + memory.codes
        y = self.cross_attention(
            self.norm2(x), keys, memory.values, rotation, unrotated=memory.pointers, bias=memory.bias
        )
        x = x + self.dropout(y)
        return x + self.dropout(self.mlp(self.norm3(x)))


class MemoryAttention(nn.Module):
    """A stack of layers over the stride-16 tokens."""

    def __init__(
        self,
        width: int,
        memory_width: int,
        layers: int,
        heads: int,
        hidden: int,
        theta: float,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            MemoryAttentionLayer(width, memory_width, heads, hidden, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head_width, self.theta = width // heads, theta

    def forward(self, embedding: Float[Tensor, "b c h w"], memory: Tokens) -> Float[Tensor, "b c h w"]:
        """The embedding, conditioned on memory."""
        _, c, h, w = embedding.shape
        rotation = axial_rotation(h, w, self.head_width, self.theta).to(embedding.device)
        x = embedding + INPUT_POSITION_SCALE * sine_map(h, w, c).to(embedding)
        x = x.flatten(2).transpose(1, 2)
        for layer in self.layers:
            x = layer(x, memory, rotation)
        return self.norm(x).transpose(1, 2).unflatten(2, (h, w))
