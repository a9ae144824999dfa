"""Dense optical flow from frame to frame by OpenCV's DIS (arXiv 1603.03590), and masks that move with it."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8


def grey(image: UInt8[np.ndarray, "h w 3"], side: int | None = None) -> UInt8[np.ndarray, "h2 w2"]:
    """An RGB frame in shades of grey, shrunk so that its longer side is at most ``side`` pixels."""
    height, width = image.shape[:2]
    if side is not None and max(height, width) > side:
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def flow_to(before: UInt8[np.ndarray, "h w"], now: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 2"]:
    """From each pixel ``(x, y)`` of the frame ``now`` to its place in the frame ``before``, in pixels."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # one a call: it may not be shared by threads
    return dis.calc(now, before, None)  # pyright: ignore[reportCallIssue, reportArgumentType, reportReturnType]


def warp(soft: Float[np.ndarray, "h w"], flow: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w"]:
    """A soft mask read at each pixel's place in the frame before; 0 where that lies outside.

    Args:
        soft: Mask of the frame before, 0..1.
        flow: Of the new frame, as :func:`flow_to` gives it.
    """
    height, width = soft.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(soft, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
