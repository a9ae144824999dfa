"""How a frame fills the model's input: stretched to a square, letterboxed in it, or on a grid of its own aspect."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from ..masks.resize import resize_binary_mask
from .pixels import Resample, to_input

Fitting = Literal["stretch", "letterbox", "native"] | tuple[int, int]
"""``stretch``: to the square, whatever the aspect (official). ``letterbox``: into the square, the aspect kept, the rest
in the mean colour. ``native``: the input has nearly the frame's aspect and about as many pixels as the square. A pair:
height and width of the input, multiples of 32, to which frames are stretched."""

_STRIDE = 32  # of the coarsest map
_LOW = 4  # stride of mask logits


@dataclass(frozen=True)
class Fit:
    """Where a frame lies in the model's input: at its top left.

    Attributes:
        frame: Height and width of the frame.
        input: Height and width of the input, multiples of 32.
        content: Height and width of what the frame fills of it: multiples of 4, so that logits are cut exactly there.
    """

    frame: tuple[int, int]
    input: tuple[int, int]
    content: tuple[int, int]

    @property
    def low(self) -> tuple[int, int]:
        """Height and width of mask logits, stride 4 of the input."""
        return self.input[0] // _LOW, self.input[1] // _LOW

    @property
    def low_content(self) -> tuple[int, int]:
        """What the frame fills of them."""
        return self.content[0] // _LOW, self.content[1] // _LOW

    def pixels(self, frame: UInt8[np.ndarray, "h w 3"], resample: Resample = "masklet") -> Float[Tensor, "1 3 p q"]:
        """The normalised input; 0, outside of the content, is the mean colour."""
        return _padded(to_input(frame, self.content, resample=resample), self.input)

    def points(self, points: Float[np.ndarray, "n 2"]) -> Float[Tensor, "n 2"]:
        """Points ``(x, y)`` of the frame in pixels of the input."""
        (height, width), (content_height, content_width) = self.frame, self.content
        scale = torch.tensor([width, height], dtype=torch.float32)
        content = torch.tensor([content_width, content_height], dtype=torch.float32)
        return torch.from_numpy(points.astype(np.float32)) / scale * content

    def mask(self, mask: Bool[np.ndarray, "h w"]) -> Float[Tensor, "1 1 p q"]:
        """A mask of the frame at the input's size: antialiased, then at least one half."""
        resized = np.asarray(resize_binary_mask(mask, self.content), np.float32)
        return _padded(torch.from_numpy(resized)[None, None], self.input)

    def soft_mask(self, logits: Float[Tensor, "1 1 h w"], outside: float) -> Float[Tensor, "1 1 h4 w4"]:
        """Logits of the frame at stride 4 of the input, antialiased, with a value for what lies outside of it."""
        small = functional.interpolate(logits, self.low_content, mode="bilinear", align_corners=False, antialias=True)
        return _padded(small, self.low, outside)

    def cut(self, logits: Float[Tensor, "*b h4 w4"]) -> Float[Tensor, "*b p q"]:
        """The part of stride-4 logits that shows the frame."""
        height, width = self.low_content
        return logits[..., :height, :width]


def fit_frame(frame: tuple[int, int], image_size: int, fitting: Fitting = "stretch") -> Fit:
    """Fit frames of one size (height, width) into the input.

    Args:
        frame: Height and width of the frames.
        image_size: Side of the square input, in whose place ``native`` takes one of about as many pixels.
        fitting: See ``Fitting``.
    """
    square = (image_size, image_size)
    if fitting == "letterbox":
        longer = max(frame)
        height, width = (max(_LOW, round(image_size * side / longer / _LOW) * _LOW) for side in frame)
        return Fit(frame, square, (height, width))
    size = square if fitting == "stretch" else _native(frame, image_size) if fitting == "native" else fitting
    return Fit(frame, size, size)


def check_fitting(given: Any) -> Fitting:
    """A fitting as it should be; a pair may come as a list.

    Raises:
        ValueError: It is none.
    """
    if given in ("stretch", "letterbox", "native"):
        return given
    if isinstance(given, list | tuple) and len(given) == 2 and all(isinstance(one, int) for one in given):
        height, width = given
        if min(given) >= _STRIDE and not (height % _STRIDE or width % _STRIDE):
            return height, width
    raise ValueError(
        f"fit must be 'stretch', 'letterbox', 'native' or a height and width, both multiples of 32, got {given!r}"
    )


def _native(frame: tuple[int, int], image_size: int) -> tuple[int, int]:
    """Of the grids around the ideal one, that with the least error in aspect and number of pixels together."""
    if frame[0] > frame[1]:  # a frame on its side gets the grid on its side, where rounding decides, too
        width, height = _native((frame[1], frame[0]), image_size)
        return height, width
    aspect = frame[1] / frame[0]

    def choices(ideal: float) -> tuple[int, int]:
        below = int(ideal / _STRIDE) * _STRIDE
        return max(below, _STRIDE), below + _STRIDE

    def error(size: tuple[int, int]) -> tuple[float, int]:
        height, width = size
        wrong = abs(log(width / height / aspect)) + abs(log(height * width / image_size**2))
        return wrong, height * width  # of two that are equally wrong, the smaller

    root = sqrt(aspect)
    return min(((h, w) for h in choices(image_size / root) for w in choices(image_size * root)), key=error)


def _padded(x: Float[Tensor, "b c h w"], size: tuple[int, int], value: float = 0.0) -> Float[Tensor, "b c p q"]:
    """A map with something added at the right and the bottom."""
    return functional.pad(x, (0, size[1] - x.shape[-1], 0, size[0] - x.shape[-2]), value=value)
