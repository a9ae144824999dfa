"""The paper's augmentations (appendix C.2): one geometry and colour a clip, each frame's own colour, mosaics.

Parity: probabilities and strengths of training/dataset/transforms.py and the released configuration; the geometry is
composed into a single resampling, and what lies outside the picture is its mirror image, in masks too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy.random import Generator

from .transforms import ColourConfig, colour_matrix, warp_image, warp_labels


def _colour(brightness: float, contrast: float, saturation: float, grey: float = 0.0) -> ColourConfig:
    return ColourConfig(brightness, contrast, saturation, 0.0, 0.0, grey, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Augmentation:
    """Chances and strengths; images take ``flip`` alone in the paper.

    Attributes:
        flip: Chance of a mirror image.
        degrees: Largest turn.
        shear: Largest shear of rows in degrees, each way; columns stay upright.
        brightness: Largest relative change, the same in all frames; likewise ``contrast`` and ``saturation``.
        grey: Chance of a clip without colour.
        frame_brightness: Largest relative change of each frame; likewise ``frame_contrast``, ``frame_saturation``.
        mosaic: Chance that a clip is shown four times in a 2 x 2 mosaic, its objects being those of one cell.
    """

    flip: float = 0.5
    degrees: float = 25.0
    shear: float = 20.0
    brightness: float = 0.1
    contrast: float = 0.03
    saturation: float = 0.03
    grey: float = 0.05
    frame_brightness: float = 0.1
    frame_contrast: float = 0.05
    frame_saturation: float = 0.05
    mosaic: float = 0.0


FLIP_ONLY = Augmentation(0.5, *[0.0] * 10)


def draw_geometry(rng: Generator, height: int, width: int, size: int, config: Augmentation) -> Float[np.ndarray, "2 3"]:
    """Draw the affine map from pixels of a ``size`` x ``size`` input to those of the picture that is squashed to it."""
    turn, shear = np.deg2rad(rng.uniform(-1, 1, 2) * (config.degrees, config.shear))
    mirror = -1.0 if rng.random() < config.flip else 1.0
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    slant = np.array([[1.0, np.tan(shear)], [0.0, 1.0]])
    linear = rotation @ slant @ np.diag([mirror * width / size, height / size])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.hstack([linear, (centre - linear @ np.full(2, (size - 1) / 2))[:, None]])


def augment(
    rng: Generator,
    frames: list[UInt8[np.ndarray, "h w 3"]],
    masks: list[list[UInt8[np.ndarray, "h w"]]],
    size: int,
    config: Augmentation,
) -> tuple[UInt8[np.ndarray, "t s s 3"], UInt8[np.ndarray, "t o s s"]]:
    """Bring a clip and its masks (0 and 1, a list of objects a frame) to the input's size, all in the same way."""
    import cv2

    height, width = frames[0].shape[:2]
    to_source = draw_geometry(rng, height, width, size, config)
    together = _colour(config.brightness, config.contrast, config.saturation, config.grey)
    alone = _colour(config.frame_brightness, config.frame_contrast, config.frame_saturation)
    matrix = _homogeneous(colour_matrix(rng, together))
    pictures = []
    for frame in frames:
        own = _homogeneous(colour_matrix(rng, alone)) @ matrix
        pictures.append(cv2.transform(warp_image(frame, to_source, size), own[:3]))
    warped = [[warp_labels(mask, to_source, size) for mask in each] for each in masks]
    made, truth = np.stack(pictures), np.array(warped, np.uint8).reshape(len(frames), -1, size, size)
    return mosaic(rng, made, truth) if rng.random() < config.mosaic else (made, truth)


def mosaic(
    rng: Generator, frames: UInt8[np.ndarray, "t s s 3"], masks: UInt8[np.ndarray, "t o s s"]
) -> tuple[UInt8[np.ndarray, "t s s 3"], UInt8[np.ndarray, "t o s s"]]:
    """Show a clip in four cells, mirrored or not; the objects are those of one cell, the others are look-alikes."""
    import cv2

    size = frames.shape[1]
    half, chosen = size // 2, int(rng.integers(4))
    tiled, truth = np.empty_like(frames), np.zeros_like(masks)
    small = np.stack([cv2.resize(frame, (half, half), interpolation=cv2.INTER_AREA) for frame in frames])
    for cell in range(4):
        mirror = slice(None, None, -1 if rng.random() < 0.5 else 1)
        y, x = (cell // 2) * half, (cell % 2) * half
        tiled[:, y : y + half, x : x + half] = small[:, :, mirror]
        if cell == chosen:
            for t, o in np.ndindex(*masks.shape[:2]):
                shrunk = cv2.resize(masks[t, o], (half, half), interpolation=cv2.INTER_NEAREST)
                truth[t, o, y : y + half, x : x + half] = shrunk[:, mirror]
    return tiled, truth


def _homogeneous(matrix: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "4 4"]:
    return np.vstack([matrix, [0, 0, 0, 1]])
