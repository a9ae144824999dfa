"""Encodes frames for inference: the numbers of :meth:`~masklet.model.sam2.Sam2.encode_image`, with less work on a CPU.

The readable form is :mod:`~masklet.model.image_encoder`. The trunk runs in bands
(:mod:`~masklet.model.streamed_hiera`); of the neck, the lateral and the skip projection of strides 4 and 8 have nothing
between them and are one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import FrameFeatures
from .hiera import Hiera
from .sam2 import Sam2
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
    """Trunk and neck of an official model."""

    trunk: StreamedHiera
    skip4: Matrix
    skip8: Matrix
    lateral16: Matrix
    lateral32: Matrix

    @staticmethod
    def serves(model: Sam2) -> bool:
        """Whether it can be used, and is faster: on a CPU, in at least single precision."""
        trunk, neck = model.image_encoder.trunk, model.image_encoder.neck
        if not isinstance(trunk, Hiera) or neck.norms is not None or len(neck.blocks):
            return False
        return model.full_precision_on_cpu and StreamedHiera.serves(trunk)

    @staticmethod
    def of(model: Sam2) -> _Streamed:
        trunk, neck = model.image_encoder.trunk, model.image_encoder.neck
        assert isinstance(trunk, Hiera)
        lateral4, lateral8, lateral16, lateral32 = (_matrix(lateral) for lateral in neck.laterals)
        skip4, skip8 = _both(lateral4, _matrix(neck.skip4)), _both(lateral8, _matrix(neck.skip8))
        return _Streamed(StreamedHiera(trunk), skip4, skip8, lateral16, lateral32)

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> FrameFeatures:
        """One image after the other: together they are no faster and need more memory."""
        rows = [self._neck(self.trunk(image)) for image in images.split(1)]
        return FrameFeatures(*(maps[0] if len(maps) == 1 else torch.cat(maps) for maps in zip(*rows, strict=True)))

    def _neck(self, stages: list[Float[Tensor, "_ _ _"]]) -> tuple[Tensor, Tensor, Tensor]:
        s4, s8, s16, s32 = stages
        deep = F.interpolate(_map(F.linear(s32, *self.lateral32)).float(), scale_factor=2.0, mode="nearest")
        embedding = _map(F.linear(s16, *self.lateral16)) + deep.to(s16.dtype)
        return embedding, _map(F.linear(s8, *self.skip8)), _map(F.linear(s4, *self.skip4))


def _matrix(projection: nn.Module) -> Matrix:
    """A 1x1 convolution as a matrix."""
    assert isinstance(projection, nn.Conv2d) and projection.bias is not None
    return projection.weight[:, :, 0, 0], projection.bias


def _both(first: Matrix, second: Matrix) -> Matrix:
    """One projection after another, as one."""
    (a, b), (c, d) = first, second
    c64 = c.double()
    return (c64 @ a.double()).to(a.dtype), (c64 @ b.double() + d).to(b.dtype)


def _map(x: Float[Tensor, "h w c"]) -> Float[Tensor, "1 c h w"]:
    return x.permute(2, 0, 1)[None]
