"""Marks by which a saved session knows its video and its model again."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import torch

from ..model.sam2 import Sam2
from ..video.frames import FrameSource
from ..video.live import LiveFrames


def of_source(source: FrameSource | LiveFrames) -> dict[str, Any]:
    """Size, length, and a digest of the pixels of the first and the middle frame; none of streams and live video."""
    if isinstance(source, LiveFrames):
        return {"live": True, "length": source.length, "size": list(source.size) if source.length else None}
    mark = {"live": False, "length": source.length, "size": list(source.size)}
    if source.length is None:
        return mark
    digest = blake2b(digest_size=16)
    for t in sorted({0, source.length // 2}):
        digest.update(source.frame(t).tobytes())
    return {**mark, "frames": digest.hexdigest()}


def of_model(model: Sam2) -> str:
    """A digest of the weights and of the input size, the same on every device; another type is another model."""
    digest = blake2b(str((model.config.image_size, str(model.dtype))).encode(), digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
