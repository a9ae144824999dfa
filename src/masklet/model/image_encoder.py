"""Image encoder: a trunk, and a neck that brings its stages to one width (paper, section 4 and appendix C)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import FrameFeatures
from .config import EfficientNetConfig, ModelConfig
from .efficientnet import EfficientNetLite
from .hiera import Hiera
from .layers import ConvNeXtBlock, LayerNorm2d


class Neck(nn.Module):
    """Feature pyramid: strides 16 and 32 merge into the embedding, strides 4 and 8 bypass memory attention as skips.

    Parity: sam2/modeling/backbones/image_encoder.py, and the skip projections of sam2/modeling/sam/mask_decoder.py,
    which are applied here because they depend on the image alone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = config.trunk.stage_widths
        self.norms = nn.ModuleList(LayerNorm2d(w) for w in widths) if config.stage_norm else None
        self.laterals = nn.ModuleList(nn.Conv2d(w, config.width, 1) for w in widths)
        self.blocks = nn.Sequential(*(ConvNeXtBlock(config.width, scale=0.1) for _ in range(config.neck_blocks)))
        self.skip8 = nn.Conv2d(config.width, config.decoder_skips[0], 1)
        self.skip4 = nn.Conv2d(config.width, config.decoder_skips[1], 1)

    def forward(self, stages: list[Float[Tensor, "b _ _ _"]]) -> FrameFeatures:
        """Merge the trunk's maps at strides 4, 8, 16 and 32."""
        if self.norms is not None:
            stages = [norm(x) for norm, x in zip(self.norms, stages, strict=True)]
        s4, s8, s16, s32 = (lateral(x) for lateral, x in zip(self.laterals, stages, strict=True))
        embedding = s16 + F.interpolate(s32.float(), scale_factor=2.0, mode="nearest").to(s16.dtype)
        return FrameFeatures(self.blocks(embedding), self.skip8(s8), self.skip4(s4))


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, config: ModelConfig, drop_path: float = 0.0) -> None:
        super().__init__()
        trunk = config.trunk
        self.trunk = EfficientNetLite() if isinstance(trunk, EfficientNetConfig) else Hiera(trunk, drop_path)
        self.neck = Neck(config)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> FrameFeatures:
        """Features of normalised images."""
        return self.neck(self.trunk(image))
