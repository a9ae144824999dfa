"""Resizing of mask logits and of binary masks."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional


def resize_logits(logits: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c H W"]:
    """Resize logits to ``size`` (height, width): bilinear between pixel centres, in float32, no antialiasing.

    The result is float32 whatever the input's type, so that thresholding at 0 does not depend on half precision.
    """
    logits = logits.float()
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return functional.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)


def resize_binary_mask(mask: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """Resize a binary mask to ``size`` (height, width): antialiased bilinear, then at least one half.

    Parity: same filter and threshold as ``add_new_mask`` (sam2/sam2_video_predictor.py:319-328).

    Raises:
        ValueError: The mask is not two-dimensional, or a size is 0.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0 or min(size) < 1:
        raise ValueError(
            f"Cannot resize a mask of shape {mask.shape} to {tuple(size)}: expected (height, width), above 0."
        )
    if mask.shape == tuple(size):
        return mask != 0
    soft = torch.from_numpy((mask != 0).astype(np.float32))[None, None]
    soft = functional.interpolate(soft, size=tuple(size), mode="bilinear", align_corners=False, antialias=True)
    return (soft[0, 0] >= 0.5).numpy()
