"""Encodes frames for inference: the numbers of :meth:`~masklet.model.sam2.Sam2.encode_image`, with less work on a CPU.

The readable form is :mod:`~masklet.model.image_encoder`. The trunk runs in bands
(:mod:`~masklet.model.streamed_hiera`, :mod:`~masklet.model.streamed_efficientnet`) and projects each stage as soon as
it has it (:mod:`~masklet.model.projection`): the lateral and the skip projection of strides 4 and 8 have nothing
between them and are one matrix, and so are a norm's scale and shift and the projection after it.
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
from .projection import Projection
from .sam2 import Sam2
from .streamed_efficientnet import StreamedEfficientNet
from .streamed_hiera import StreamedHiera


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
        projections: Of strides 4, 8, 16 and 32: the first two to the skips, the others to the embedding's width.
        blocks: What refines the embedding.
    """

    trunk: StreamedHiera | StreamedEfficientNet
    projections: tuple[Projection, Projection, Projection, Projection]
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
        laterals = [Projection.of(lateral) for lateral in neck.laterals]
        if neck.norms is not None:
            laterals = [lateral.after(norm) for norm, lateral in zip(neck.norms, laterals, strict=True)]
        s4, s8, s16, s32 = laterals
        skip4, skip8 = s4.then(Projection.of(neck.skip4)), s8.then(Projection.of(neck.skip8))
        return _Streamed(streamed, (skip4.in_planes(), skip8.in_planes(), s16, s32), neck.blocks)

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> FrameFeatures:
        """One image after the other: together they are no faster and need more memory."""
        rows = [self._encode(image) for image in images.split(1)]
        return FrameFeatures(*(maps[0] if len(maps) == 1 else torch.cat(maps) for maps in zip(*rows, strict=True)))

    def _encode(self, image: Float[Tensor, "1 3 h w"]) -> tuple[Tensor, Tensor, Tensor]:
        # The new axis goes first, or its stride would hide the layout from convolutions.
        skip4, skip8, s16, s32 = (x[None].permute(0, 3, 1, 2) for x in self.trunk(image, self.projections))
        deep = F.interpolate(s32.float(), scale_factor=2.0, mode="nearest")
        return self.blocks(s16 + deep.to(s16.dtype)), skip8, skip4
