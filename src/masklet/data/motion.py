"""Smooth made-up motion: paths through time, and picture warps given by a coarse mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable


_CELL = 16  # pixels between the nodes of a mesh
NO_SECOND_MAP: Any = None  # for remap, where one array holds both coordinates; its type hints do not know of that


def draw_times(rng: Generator, frames: int, gap: float, longest: int) -> Float[ndarray, " t"]:
    """Draw the times of frames in steps from 0: 1 apart, or with probability `gap` up to `longest` apart."""
    if rng.random() >= gap:
        return np.arange(frames, dtype=np.float64)
    if rng.random() < 0.5:
        steps = np.full(frames - 1, rng.integers(2, longest + 1))
    else:
        steps = rng.integers(1, longest + 1, frames - 1)
    return np.concatenate([[0], np.cumsum(steps)]).astype(np.float64)


def draw_path(rng: Generator, times: Float[ndarray, " t"], speed: float, size: int = 1) -> Float[ndarray, "t n"]:
    """Draw `size` quantities that start at 0 and change by about `speed` a step, with some acceleration and sway."""
    velocity = rng.normal(0, speed, size)
    turn = rng.normal(0, 0.15 * speed, size)
    sway = rng.normal(0, 0.7 * speed, size)
    pace, phase = rng.uniform(0.3, 1.2, size), rng.uniform(0, 2 * np.pi, size)
    t = times[:, None]
    return velocity * t + 0.5 * turn * t**2 + sway * (np.sin(pace * t + phase) - np.sin(phase)) / pace


def mesh_map(
    to_source: Callable[[Float[ndarray, "r c 2"]], Float[ndarray, "r c 2"]], x: int, y: int, width: int, height: int
) -> Float[ndarray, "h w 2"]:
    """Evaluate a smooth coordinate map at a coarse mesh and interpolate it to each pixel of a window.

    Args:
        to_source: From pixels (x, y) of the frame to pixels of the source picture.
        x: Left edge of the window in the frame.
        y: Its top edge.
        width: Pixels of the window across.
        height: Pixels of the window down.

    Returns:
        Float32 source coordinates as OpenCV's `remap` takes them.
    """
    import cv2

    columns, rows = -(-width // _CELL) + 2, -(-height // _CELL) + 2
    nodes = np.empty((rows, columns, 2))
    nodes[..., 0] = x + (np.arange(columns) - 0.5) * _CELL - 0.5
    nodes[..., 1] = (y + (np.arange(rows) - 0.5) * _CELL - 0.5)[:, None]
    coarse = to_source(nodes).astype(np.float32)
    fine = cv2.resize(coarse, (columns * _CELL, rows * _CELL), interpolation=cv2.INTER_LINEAR)
    return fine[_CELL : _CELL + height, _CELL : _CELL + width]


def apply_homography(matrix: Float[ndarray, "3 3"], points: Float[ndarray, "*n 2"]) -> Float[ndarray, "*n 2"]:
    """Map points (x, y) by a homography."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[..., :2] / mapped[..., 2:]


def camera_path(rng: Generator, times: Float[ndarray, " t"], size: int, speed: float) -> Float[ndarray, "t 3 3"]:
    """Draw the camera's motion: homographies from pixels of frame 0 to pixels of each frame, the first the identity.

    Args:
        rng: Source of randomness.
        times: Frame times in steps.
        size: Side of the square frame in pixels.
        speed: Shift a step as a fraction of the frame; zoom, turn and tilt go with it.
    """
    shift = draw_path(rng, times, speed, 2) * size
    zoom = np.exp(np.clip(draw_path(rng, times, 0.5 * speed)[:, 0], -0.5, 0.5))
    angle = np.clip(draw_path(rng, times, 0.4 * speed)[:, 0], -0.5, 0.5)
    tilt = np.clip(draw_path(rng, times, 0.15 * speed, 2), -0.12, 0.12) / size
    centre = np.array([[1, 0, (size - 1) / 2], [0, 1, (size - 1) / 2], [0, 0, 1]])
    path = np.zeros((len(times), 3, 3))
    path[:, 0, 0] = path[:, 1, 1] = zoom * np.cos(angle)
    path[:, 1, 0] = zoom * np.sin(angle)
    path[:, 0, 1] = -path[:, 1, 0]
    path[:, :2, 2] = shift
    path[:, 2, :2] = tilt
    path[:, 2, 2] = 1
    return centre @ path @ np.linalg.inv(centre)
