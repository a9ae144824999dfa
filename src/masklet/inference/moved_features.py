"""Features of frames between two encoded ones: those of the frame encoded last, moved by optical flow."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from ..structures import FrameFeatures
from ..video.fitting import Fit
from ..video.flow import flow_to, grey

_SIDE = 256  # longer side of the frames that flow is computed on


class MovedFeatures:
    """Moves features of one video from frame to frame (as arXiv 1611.07715 does).

    Args:
        read: Gives a frame.
    """

    def __init__(self, read: Callable[[int], UInt8[np.ndarray, "h w 3"]]) -> None:
        self._read = read
        self._grey: tuple[int, UInt8[np.ndarray, "h w"]] | None = None

    def __call__(self, features: FrameFeatures, before: int, t: int, fit: Fit) -> FrameFeatures:
        """Features of frame ``t`` from those of ``before``; content that comes into view is what stood at the edge."""
        if self._grey is None or self._grey[0] != before:
            self._grey = before, grey(self._read(before), _SIDE)
        flow = flow_to(self._grey[1], grey(self._read(t), _SIDE))
        embedding, skip8, skip4 = (_moved(x, flow, fit) for x in (features.embedding, features.skip8, features.skip4))
        return FrameFeatures(embedding, skip8, skip4)


def _moved(x: Float[Tensor, "1 c h w"], flow: Float[np.ndarray, "p q 2"], fit: Fit) -> Float[Tensor, "1 c h w"]:
    """A map read at the place that each of its pixels came from."""
    h, w = x.shape[-2:]
    inner = round(h * fit.content[0] / fit.input[0]), round(w * fit.content[1] / fit.input[1])
    # In grid_sample's units, in which the map reaches from -1 to 1; the frame may fill a part of it.
    scale = np.array([2 / flow.shape[1] * inner[1] / w, 2 / flow.shape[0] * inner[0] / h], np.float32)
    small = np.zeros((h, w, 2), np.float32)
    small[: inner[0], : inner[1]] = cv2.resize(flow * scale, inner[::-1], interpolation=cv2.INTER_AREA)
    rows, columns = (torch.arange(n, dtype=torch.float32) * 2 + 1 for n in (h, w))
    grid = torch.stack(torch.meshgrid(columns / w - 1, rows / h - 1, indexing="xy"), dim=-1)
    places = (grid + torch.from_numpy(small))[None].to(x.device, x.dtype)
    return F.grid_sample(x, places, padding_mode="border", align_corners=False)
