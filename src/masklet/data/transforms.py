"""Random crops and changes of colour for training: one geometry for a picture and its label maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.random import Generator

if TYPE_CHECKING:
    from collections.abc import Iterable


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class CropConfig:
    """How a square crop is drawn.

    Attributes:
        scale: Range of the area of the crop as a fraction of the photo.
        aspect: Largest stretch, drawn log-uniformly both ways: square model inputs squash wide videos by 16:9.
        whole: Probability of taking the whole photo, squashed to the square.
        rotation: Largest angle in degrees, for a third of the crops.
        flip: Probability of a mirror image.
    """

    scale: tuple[float, float] = (0.25, 1.0)
    aspect: float = 1.9
    whole: float = 0.25
    rotation: float = 12.0
    flip: float = 0.5


@dataclass(frozen=True)
class ColourConfig:
    """Strength and probability of photometric changes (0 turns one off).

    Attributes:
        brightness: Largest relative change; likewise `contrast` and `saturation`.
        hue: Largest turn in radians around the grey axis.
        gamma: Largest log of the exponent.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.35
    hue: float = 0.15
    gamma: float = 0.2
    grey: float = 0.05
    blur: float = 0.1
    noise: float = 0.1
    jpeg: float = 0.15


def draw_crop(rng: Generator, height: int, width: int, size: int, config: CropConfig) -> Float[ndarray, "2 3"]:
    """Draw the affine map from pixels (x, y) of a `size` x `size` crop to pixels of the photo."""
    if rng.random() < config.whole:
        w, h = float(width), float(height)
    else:
        area = rng.uniform(*config.scale) * height * width
        stretch = np.exp(0.5 * rng.uniform(-1, 1) * np.log(config.aspect))
        w, h = min(np.sqrt(area) * stretch, width), min(np.sqrt(area) / stretch, height)
    angle = np.deg2rad(rng.uniform(-1, 1) * config.rotation) if rng.random() < 1 / 3 else 0.0
    flip = -1.0 if rng.random() < config.flip else 1.0
    cx = rng.uniform(w / 2, width - w / 2) - 0.5
    cy = rng.uniform(h / 2, height - h / 2) - 0.5
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip * w / size, h / size])
    shift = np.array([cx, cy]) - linear @ np.full(2, (size - 1) / 2)
    return np.hstack([linear, shift[:, None]])


def warp_image(image: UInt8[ndarray, "h w 3"], to_source: Float[ndarray, "2 3"], size: int) -> UInt8[ndarray, "s s 3"]:
    """Resample a picture into a crop; outside the picture its mirror image continues."""
    import cv2

    # Linear sampling skips pixels when it shrinks by more than two.
    shrink = np.sqrt(abs(np.linalg.det(to_source[:, :2])))
    if shrink > 2.2:
        factor = 2.0 / shrink
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        fx, fy = small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]
        scale = np.array([[fx], [fy]])
        to_source = to_source * scale
        to_source[:, 2] += (scale[:, 0] - 1) / 2  # pixel centres
        image = small
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, to_source, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def warp_labels(labels: UInt8[ndarray, "h w"], to_source: Float[ndarray, "2 3"], size: int) -> UInt8[ndarray, "s s"]:
    """Resample a label map into a crop (nearest label), consistent with `warp_image`."""
    import cv2

    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(labels, to_source, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def colour_matrix(rng: Generator, config: ColourConfig) -> Float[ndarray, "3 4"]:
    """Draw one affine map of RGB (0..255) that changes brightness, contrast, saturation and hue."""
    brightness, contrast, saturation, hue = rng.uniform(-1, 1, 4)
    keep = 1 + saturation * config.saturation
    angle = hue * config.hue
    # Turn around the grey axis (Rodrigues), then blend with the grey of the pixel.
    cos, sin = np.cos(angle), np.sin(angle) / np.sqrt(3)
    turn = np.full((3, 3), (1 - cos) / 3) + cos * np.eye(3)
    turn += sin * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    colours = keep * turn + (1 - keep) * np.tile(_LUMA, (3, 1))
    if rng.random() < config.grey:
        colours = np.tile(_LUMA, (3, 1))
    spread = 1 + contrast * config.contrast
    gain = spread * (1 + brightness * config.brightness)
    return np.hstack([gain * colours, np.full((3, 1), 127.0 * (1 - spread))]).astype(np.float32)


def gamma_table(rng: Generator, config: ColourConfig) -> UInt8[ndarray, " 256"]:
    """Draw a tone curve."""
    exponent = np.exp(rng.uniform(-1, 1) * config.gamma)
    return np.clip(np.rint(255 * (np.arange(256) / 255) ** exponent), 0, 255).astype(np.uint8)


def jitter_colours(
    rng: Generator, pictures: Iterable[UInt8[ndarray, "h w 3"]], config: ColourConfig
) -> list[UInt8[ndarray, "h w 3"]]:
    """Change the colours of a picture, or of the frames of a clip all in the same way."""
    import cv2

    matrix, table = colour_matrix(rng, config), gamma_table(rng, config)
    sigma = rng.uniform(0.4, 1.6) if rng.random() < config.blur else 0.0
    noise = rng.uniform(2, 10) if rng.random() < config.noise else 0.0
    quality = int(rng.integers(25, 80)) if rng.random() < config.jpeg else 0
    changed = []
    for picture in pictures:
        picture = cv2.LUT(cv2.transform(picture, matrix), table)
        if sigma:
            picture = cv2.GaussianBlur(picture, (0, 0), sigma)
        if noise:
            grain = noise * rng.standard_normal(picture.shape[:2], np.float32)
            picture = np.clip(picture + grain[..., None], 0, 255).astype(np.uint8)
        if quality:
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
        changed.append(picture)
    return changed
