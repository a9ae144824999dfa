"""Weights that need not travel: every tensor follows from its official name, as in the reference arrays.

``tests/golden/keys.json.gz`` holds the names and shapes of the eight official models, and of transformers' two (tiny).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod, sqrt
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

KEYS = Path(__file__).with_name("golden") / "keys.json.gz"
OFFICIAL = tuple(
    f"{version}_hiera_{size}" for version in ("sam2", "sam2.1") for size in ("tiny", "small", "base_plus", "large")
)
_CODES = ("embed", "pos_enc", "no_obj", "token", "gaussian")


@lru_cache(maxsize=1)
def _tables() -> dict[str, dict[str, list[int]]]:
    return json.loads(gzip.decompress(KEYS.read_bytes()))


def keys(model: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an official model's tensors, or of ``Sam2VideoModel`` or ``Sam2Model``."""
    return {name: tuple(shape) for name, shape in _tables()[model].items()}


def fill(name: str, shape: Sequence[int]) -> np.ndarray:
    """The float32 tensor that an official name stands for."""
    x = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape), dtype=np.float32)
    if name == "sam_mask_decoder.pred_obj_score_head.layers.2.bias":
        return np.full_like(x, 0.35)
    if name.endswith("bias"):
        return np.float32(0.02) * x
    if any(code in name for code in _CODES):
        return np.float32(0.3) * x
    if x.ndim <= 1:
        return np.float32(1) + np.float32(0.02) * x
    return np.float32(0.6) * x / np.float32(sqrt(prod(shape[1:])))


def state(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """An official state dict filled by its names."""
    return {name: torch.from_numpy(np.asarray(fill(name, shape))) for name, shape in shapes.items()}


def hollow(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Zeros of these shapes that take no memory."""
    return {name: torch.zeros(()).expand(*shape) for name, shape in shapes.items()}
