"""Prompts as the official package takes them, as ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

BOX_CORNERS = (2, 3)


def plain(value: Any) -> np.ndarray | None:
    """A list, array or tensor as an array."""
    if value is None:
        return None
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def in_pixels(points: np.ndarray, size: tuple[int, int], *, normalize: bool) -> np.ndarray:
    """Coordinates in pixels of the frame; officially those that are not to be normalised are shares of its sides."""
    return points if normalize else points * np.array([size[1], size[0]], np.float32)


def without_corners(
    points: np.ndarray | None, labels: np.ndarray | None, box: np.ndarray | None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Clicks and a box, where the box may have been given as two points with the labels 2 and 3."""
    if points is None or labels is None or box is not None or tuple(labels[:2]) != BOX_CORNERS:
        return points, labels, box
    rest = len(labels) > 2
    return points[2:] if rest else None, labels[2:] if rest else None, points[:2].reshape(4)
