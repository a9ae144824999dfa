"""One size table for the model family: the eight official models from a size and a version, and ``nano``.

Numbers: SAM 2 paper (arXiv 2408.00714), section 4 and appendix C; official configurations of sizes and versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Version = Literal["2.0", "2.1"]


@dataclass(frozen=True)
class HieraConfig:
    """Hiera trunk (arXiv 2306.00989): widths and heads double at each of the four stages."""

    width: int = 96
    heads: int = 1
    blocks: tuple[int, int, int, int] = (1, 2, 7, 2)
    global_blocks: tuple[int, ...] = (5, 7, 9)
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)
    position_grid: int = 7

    @property
    def stage_widths(self) -> tuple[int, ...]:
        """Channels at strides 4, 8, 16 and 32."""
        return tuple(self.width * 2**i for i in range(4))


@dataclass(frozen=True)
class EfficientNetConfig:
    """EfficientNet-Lite0 trunk, batch norm folded in: the light trunk of ``nano``."""

    stage_widths: tuple[int, ...] = (24, 40, 112, 320)


@dataclass(frozen=True)
class ModelConfig:
    """Everything that distinguishes one model from another.

    A field exists only if released weights differ in it or an ablation needs it.

    Attributes:
        image_size: Side of the square input, a multiple of 32; an input that is not square has about as many pixels.
            Weights do not depend on it.
        memories: Memory slots: one code for prompted frames and ``memories - 1`` recent frames.
        pointers: Frames whose object pointers can be read: ``pointers - 1`` recent ones besides the prompted; 0: none.
        prompted_weight: How many times memory attention counts the maps of prompted frames.
        rope_theta: Base of the rotary position code in memory attention.
        stage_norm: Layer norm of each trunk stage before the neck (batch-normalised trunks need it).
        neck_blocks: ConvNeXt blocks on the stride-16 output of the neck.
        click_features: Sparse tokens also carry the image feature under the click, and clicks and boxes are drawn as
            soft maps on the strides 16 and 4.
        recurrent_memory: Memory maps pass a GRU whose state is the map of the frame before (paper, table 12).
    """

    trunk: HieraConfig | EfficientNetConfig = field(default_factory=HieraConfig)
    version: Version = "2.1"
    image_size: int = 1024
    width: int = 256
    memory_width: int = 64
    memories: int = 7
    pointers: int = 16
    prompted_weight: float = 1.0
    attention_layers: int = 4
    attention_heads: int = 1
    attention_hidden: int = 2048
    rope_theta: float = 10000.0
    decoder_hidden: int = 2048
    decoder_skips: tuple[int, int] = (64, 32)
    mask_memory_widths: tuple[int, int, int, int] = (4, 16, 64, 256)
    stage_norm: bool = False
    neck_blocks: int = 0
    click_features: bool = False
    recurrent_memory: bool = False

    def __post_init__(self) -> None:
        check_image_size(self.image_size)
        if self.width % self.memory_width:
            raise ValueError(f"width ({self.width}) must be a multiple of memory_width ({self.memory_width})")


def check_image_size(size: int) -> None:
    """Raise ValueError unless ``size`` is a positive multiple of 32."""
    if size < 32 or size % 32:
        nearest = max(32, round(size / 32) * 32)
        raise ValueError(f"image_size must be a positive multiple of 32, got {size}; the nearest is {nearest}")


HIERA = {
    "tiny": HieraConfig(),
    "small": HieraConfig(blocks=(1, 2, 11, 2), global_blocks=(7, 10, 13)),
    "base_plus": HieraConfig(112, 2, (2, 3, 16, 3), (12, 16, 20), position_grid=14),
    "large": HieraConfig(144, 2, (2, 6, 36, 4), (23, 33, 43), windows=(8, 4, 16, 8)),
}

NANO = ModelConfig(
    trunk=EfficientNetConfig(),
    image_size=384,
    width=128,
    memories=5,
    attention_layers=2,
    attention_heads=2,
    attention_hidden=256,
    prompted_weight=8.0,
    rope_theta=100.0,
    decoder_hidden=256,
    mask_memory_widths=(4, 16, 32, 64),
    stage_norm=True,
    neck_blocks=1,
    click_features=True,
)

CONFIGS: dict[str, ModelConfig] = {
    **{f"sam2_hiera_{size}": ModelConfig(trunk, "2.0") for size, trunk in HIERA.items()},
    **{f"sam2.1_hiera_{size}": ModelConfig(trunk, "2.1") for size, trunk in HIERA.items()},
    "nano": NANO,
}


def with_image_size(config: ModelConfig, image_size: int | None) -> ModelConfig:
    """The same model at another square input size (None: its own)."""
    return config if image_size is None else replace(config, image_size=image_size)
