"""Encodes frames for inference: the numbers of :meth:`~masklet.model.sam2.Sam2.encode_image`, with less work on a CPU.

The readable form is :mod:`~masklet.model.image_encoder`. The trunk runs in bands
(:mod:`~masklet.model.streamed_hiera`, :mod:`~masklet.model.streamed_efficientnet`); of the neck, the lateral and the
skip projection of strides 4 and 8 have nothing between them and are one matrix, and so are a norm's scale and shift
and the projection after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import FrameFeatures
from .efficientnet import EfficientNetLite
from .hiera import Hiera
from .layers import LayerNorm2d
from .sam2 import Sam2
from .streamed_efficientnet import StreamedEfficientNet
from .streamed_hiera import StreamedHiera

Matrix = tuple[Tensor, Tensor]  # weight [o i] and bias [o]


class FrameEncoder:
    """Encodes images, by the faster of two ways; which one is decided when it is made.

    Args:
        model: Its weights must not change any more.
    """

    def __init__(self, model: Sam2) -> None:
        self._model = model
        self._streamed = _Streamed.of(model) if _Streamed.serves(model) else None

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> FrameFeatures:
        """Features of normalised images, brought to the model's device; both sides are multiples of 32.

        To a GPU they go through pinned memory, and nobody waits for them (not run on the project's machines).
        """
        device = self._model.device
        image = image.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else image.to(device)
        if self._streamed is None:
            return self._model.encode_image(image)
        return self._streamed(image.to(self._model.dtype))


@dataclass(frozen=True)
class _Streamed:
    """Trunk and neck.

    Attributes:
        normed: Maps of the trunk are normed first; scale and shift of the norms are in the matrices.
        blocks: What refines the embedding.
    """

    trunk: StreamedHiera | StreamedEfficientNet
    normed: bool
    skip4: Matrix
    skip8: Matrix
    lateral16: Matrix
    lateral32: Matrix
    blocks: nn.Sequential

    @staticmethod
    def serves(model: Sam2) -> bool:
        """Whether it can be used, and is faster: on a CPU, in at least single precision."""
        trunk = model.image_encoder.trunk
        known = StreamedHiera.serves(trunk) if isinstance(trunk, Hiera) else isinstance(trunk, EfficientNetLite)
        return known and model.full_precision_on_cpu

    @staticmethod
    @torch.no_grad()
    def of(model: Sam2) -> _Streamed:
        trunk, neck = model.image_encoder.trunk, model.image_encoder.neck
        streamed = StreamedHiera(trunk) if isinstance(trunk, Hiera) else StreamedEfficientNet(trunk)
        matrices = [_matrix(lateral) for lateral in neck.laterals]
        if neck.norms is not None:
            matrices = [_both(_scaling(norm), matrix) for norm, matrix in zip(neck.norms, matrices, strict=True)]
        lateral4, lateral8, lateral16, lateral32 = matrices
        skip4, skip8 = _both(lateral4, _matrix(neck.skip4)), _both(lateral8, _matrix(neck.skip8))
        return _Streamed(streamed, neck.norms is not None, skip4, skip8, lateral16, lateral32, neck.blocks)

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> FrameFeatures:
        """One image after the other: together they are no faster and need more memory."""
        rows = [self._neck(self.trunk(image)) for image in images.split(1)]
        return FrameFeatures(*(maps[0] if len(maps) == 1 else torch.cat(maps) for maps in zip(*rows, strict=True)))

    def _neck(self, stages: list[Float[Tensor, "_ _ _"]]) -> tuple[Tensor, Tensor, Tensor]:
        if self.normed:
            stages = [F.layer_norm(x, x.shape[-1:], eps=LayerNorm2d.EPS) for x in stages]
        s4, s8, s16, s32 = stages
        deep = F.interpolate(_map(F.linear(s32, *self.lateral32)).float(), scale_factor=2.0, mode="nearest")
        embedding = self.blocks(_map(F.linear(s16, *self.lateral16)) + deep.to(s16.dtype))
        return embedding, _map(F.linear(s8, *self.skip8)), _map(F.linear(s4, *self.skip4))


def _matrix(projection: nn.Module) -> Matrix:
    """A 1x1 convolution as a matrix."""
    assert isinstance(projection, nn.Conv2d) and projection.bias is not None
    return projection.weight[:, :, 0, 0], projection.bias


def _scaling(norm: nn.Module) -> Matrix:
    """The scale and shift of a norm as a matrix and a bias."""
    assert isinstance(norm, nn.LayerNorm)
    return torch.diag(norm.weight), norm.bias


def _both(first: Matrix, second: Matrix) -> Matrix:
    """One projection after another, as one."""
    (a, b), (c, d) = first, second
    c64 = c.double()
    return (c64 @ a.double()).to(a.dtype), (c64 @ b.double() + d).to(b.dtype)


def _map(x: Float[Tensor, "h w c"]) -> Float[Tensor, "1 c h w"]:
    """A map of one image; the new axis goes first, or its stride would hide the layout from convolutions."""
    return x[None].permute(0, 3, 1, 2)
