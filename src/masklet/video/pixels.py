"""The one way from a frame to the model's input: a resize, then normalisation."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from .pillow_bicubic import resize_pillow_bicubic

Resample = Literal["masklet", "official_image", "official_video"]

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def to_input(
    frame: UInt8[np.ndarray, "h w 3"], size: int | tuple[int, int], *, resample: Resample = "masklet"
) -> Float[Tensor, "1 3 p q"]:
    """Resize an RGB frame to a size (its aspect is not kept) and normalise it to ImageNet mean and deviation.

    Args:
        frame: RGB, 0..255.
        size: Height and width in pixels, or the side of a square.
        resample: ``masklet`` is fast: area averages when both sides shrink, else bilinear. The other two reproduce the
            official pipelines: ``official_image`` antialiased bilinear on floats, ``official_video`` Pillow's bicubic
            on 8-bit values.

    Returns:
        float32 on the CPU.

    Raises:
        ValueError: The frame is not ``uint8`` RGB, the size is below 1, or the resampling is unknown.
    """
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        got = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise ValueError(
            f"Expected a uint8 RGB frame (height, width, 3), got {got}: see masklet.video.images.to_rgb_array."
        )
    height, width = (size, size) if isinstance(size, int) else size
    if frame.size == 0 or min(height, width) < 1:
        raise ValueError(f"Cannot resize a frame of {frame.shape[0]}x{frame.shape[1]} pixels to {height}x{width}.")
    if resample == "masklet":
        shrinks = frame.shape[0] >= height and frame.shape[1] >= width
        resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return _normalised(resized)
    if resample == "official_image":
        # Parity: Resize and Normalize of SAM2Transforms (sam2/utils/transforms.py), which work on float tensors.
        pixels = _to_unit(frame)[None]
        pixels = functional.interpolate(pixels, (height, width), mode="bilinear", align_corners=False, antialias=True)
        return _standardised(pixels)
    if resample == "official_video":
        return _normalised(resize_pillow_bicubic(frame, (height, width)))
    raise ValueError(f"Unknown resampling {resample!r}: expected 'masklet', 'official_image' or 'official_video'.")


def _normalised(image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "1 3 h w"]:
    """An image of the right size, normalised: looked up, as there are only 256 values."""
    made = [cv2.LUT(channel, table) for channel, table in zip(cv2.split(image), _table(), strict=True)]
    return torch.from_numpy(np.stack(made))[None]


@lru_cache(maxsize=1)
def _table() -> Float[np.ndarray, "3 256"]:
    """What each 8-bit value becomes in each channel."""
    values = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    return _standardised(_to_unit(values)[None])[0, :, 0].numpy()


def _standardised(unit: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 h w"]:
    return (unit - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def _to_unit(image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 h w"]:
    """The same pixels, channels first, as float32 0..1."""
    return torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32, order="C")).div_(255)
