"""The image encoder's linear layers in int8: an approximation, for inference on a CPU.

Weights are rounded once, with a scale for each output channel; inputs at every call, with one scale for all of them, to
7 bits, because products of 8 overflow on processors without VNNI. The layers keep their float weights, which are what
is saved. Convolutions stay in float, and with them nearly all of ``nano``; so does what follows on the encoder: memory
attention gains little, the mask decoder works on a few tokens.
"""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .sam2 import Sam2


class Int8Linear(nn.Linear):
    """A linear layer in int8; later changes of its weights are not seen, and there are no gradients.

    Args:
        linear: The layer, whose weights are shared.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*quantized tensor creation", category=Warning)
            weight = linear.weight.float()
            scale = (weight.abs().amax(1) / 127).clamp(min=1e-12).double()
            zero = torch.zeros(len(scale), dtype=torch.long)  # other types are misread in silence
            rounded = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
            bias = None if linear.bias is None else linear.bias.float()
            self._packed = torch.ops.quantized.linear_prepack(rounded, bias)

    def forward(self, input: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """Apply the layer to the last axis."""
        return torch.ops.quantized.linear_dynamic(input, self._packed, True)


def to_int8(model: Sam2) -> Sam2:
    """Put int8 layers in the place of the image encoder's linear ones.

    Args:
        model: Changed in place, and returned; on a CPU, in float32. Weights keep their names.

    Raises:
        ValueError: It is not on a CPU or not in float32.
    """
    if model.device.type != "cpu" or model.dtype != torch.float32:
        raise ValueError(f"int8 layers need a model on a CPU in float32, got {model.device}, {model.dtype}")
    for owner in list(model.image_encoder.modules()):
        for name, layer in list(owner.named_children()):
            if type(layer) is nn.Linear:
                setattr(owner, name, Int8Linear(layer))
    model.precision = torch.float32
    return model
