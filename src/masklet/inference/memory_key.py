"""Where a frame lies among memories: one vector that says how alike two frames are for the memory of an object."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float16
from torch import Tensor
from torch.nn import functional

from ..structures import MemoryEntry


def memory_key(entry: MemoryEntry, logits: Float[Tensor, "1 1 h4 w4"]) -> Float16[np.ndarray, " m"]:
    """Mean of a frame's memory map over its mask, or over the whole frame where that is empty; of length 1.

    It takes 128 bytes with 64 channels. The product of two keys is their likeness: 1 for the same.

    Raises:
        ValueError: The entry has no map any more.
    """
    if entry.features is None:
        raise ValueError("got a memory whose map was dropped, expected a fresh one: take its key when it is made")
    features = entry.features[0].float()  # [m h w]
    _, height, width = features.shape
    inside = functional.adaptive_avg_pool2d((logits > 0).float(), (height, width))[0]  # [1 h w]
    weights = inside if inside.any() else torch.ones_like(inside)
    mean = (features * weights).sum((1, 2)) / weights.sum()
    return functional.normalize(mean, dim=0).cpu().numpy().astype(np.float16)
