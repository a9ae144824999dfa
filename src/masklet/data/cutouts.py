"""Complete things cut out of stills, and pasting them into other pictures with soft edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from numpy.random import Generator

from .motion import NO_SECOND_MAP, mesh_map
from .transforms import ColourConfig, jitter_colours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .stills import Stills
    from .thin_plate import ThinPlate


_MARGIN = 6  # transparent pixels around a cut-out, so that warps never smear its edge


@dataclass(frozen=True)
class CutoutConfig:
    """Where cut-outs come from and how large they become.

    Attributes:
        weights: How often each set is drawn from.
        area: Range of the pasted area as a fraction of the frame, drawn log-uniformly.
        enlarge: Largest magnification of the source pixels.
        stretch: Largest log change of the aspect ratio.
        colour: How the colours of a cut-out change before it is pasted.
    """

    weights: Mapping[str, float] = field(
        default_factory=lambda: {"bsds500": 0.45, "ccp": 0.35, "camvid": 0.18, "vipseg_demo": 0.02}
    )
    area: tuple[float, float] = (0.012, 0.35)
    enlarge: float = 1.8
    stretch: float = 0.3
    colour: ColourConfig = field(
        default_factory=lambda: ColourConfig(
            brightness=0.15, contrast=0.15, saturation=0.25, gamma=0.1, grey=0.0, blur=0.0, noise=0.0, jpeg=0.0
        )
    )


@dataclass(frozen=True)
class Cutout:
    """A thing on a transparent ground.

    Attributes:
        pixels: RGB, not multiplied by alpha.
        alpha: 0..255.
        area: Pixels with alpha above one half.
    """

    pixels: UInt8[ndarray, "h w 3"]
    alpha: UInt8[ndarray, "h w"]
    area: int


@dataclass(frozen=True)
class Pose:
    """Where a cut-out lies in a frame: its centre in pixels, scale in x and y, and angle in radians."""

    x: float
    y: float
    scale_x: float
    scale_y: float
    angle: float


def draw_cutout(rng: Generator, stills: Stills, config: CutoutConfig) -> Cutout:
    """Draw a movable region of a still and cut it out.

    Raises:
        ValueError: No still of the sets in `config.weights` has a movable region.
    """
    sets = [name for name in stills.by_set if config.weights.get(name, 0) > 0]
    chances = np.array([config.weights[name] for name in sets])
    for _ in range(1000):
        if not sets:
            break
        pool = stills.by_set[sets[rng.choice(len(sets), p=chances / chances.sum())]]
        still = pool[rng.integers(len(pool))]
        movable = [region for region in stills.regions(still) if region.movable]
        if not movable:
            continue
        areas = np.array([region.area for region in movable], np.float64) ** 0.7
        region = movable[rng.choice(len(movable), p=areas / areas.sum())]
        table = np.zeros(256, np.uint8)
        table[list(region.ids)] = 1
        cutout = cut_out(stills.image(still), table[stills.parts(still)[region.map]])
        if cutout is not None:
            return cutout
    raise ValueError(f"none of the stills of {sets} has a region to cut out: give stills with whole objects")


def cut_out(image: UInt8[ndarray, "h w 3"], mask: UInt8[ndarray, "h w"]) -> Cutout | None:
    """Cut a region out with its outermost pixel removed and its edge feathered; None where nothing is left."""
    import cv2

    x, y, w, h = cv2.boundingRect(mask)
    if w == 0:
        return None
    m = _MARGIN
    alpha = cv2.copyMakeBorder(mask[y : y + h, x : x + w] * np.uint8(255), m, m, m, m, cv2.BORDER_CONSTANT, value=0)
    pixels = cv2.copyMakeBorder(image[y : y + h, x : x + w], m, m, m, m, cv2.BORDER_REPLICATE)
    alpha = cv2.erode(cv2.medianBlur(alpha, 3), np.ones((3, 3), np.uint8))  # hand-drawn outlines hold some background
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.8)
    area = int(np.count_nonzero(alpha > 127))
    return Cutout(pixels, alpha, area) if area > 100 else None


def draw_sprite(rng: Generator, stills: Stills, size: int, config: CutoutConfig) -> tuple[Cutout, tuple[float, float]]:
    """Draw a cut-out ready to paste into a `size` x `size` frame (flipped, recoloured, shrunk) and its scales."""
    cutout = draw_cutout(rng, stills, config)
    if rng.random() < 0.5:
        flipped = np.ascontiguousarray(cutout.pixels[:, ::-1])
        cutout = Cutout(flipped, np.ascontiguousarray(cutout.alpha[:, ::-1]), cutout.area)
    scales = draw_scale(rng, cutout, size, config)
    cutout, factor = shrunk(cutout, min(scales))
    (pixels,) = jitter_colours(rng, [cutout.pixels], config.colour)
    return Cutout(pixels, cutout.alpha, cutout.area), (scales[0] * factor, scales[1] * factor)


def draw_scale(rng: Generator, cutout: Cutout, size: int, config: CutoutConfig) -> tuple[float, float]:
    """Draw scales in x and y that give the cut-out an area in the configured range of a `size` x `size` frame."""
    area = np.exp(rng.uniform(*np.log(config.area))) * size * size
    scale = min(np.sqrt(area / cutout.area), config.enlarge)
    # A thing taller than 1.2 frames would mostly lie outside.
    scale = min(scale, 1.2 * size / max(cutout.alpha.shape))
    stretch = np.exp(0.5 * rng.uniform(-1, 1) * config.stretch)
    return float(scale * stretch), float(scale / stretch)


def paste(
    frame: UInt8[ndarray, "h w 3"],
    cutout: Cutout,
    pose: Pose,
    wobble: ThinPlate | None = None,
    time: float = 0.0,
    blur: tuple[float, float] = (0.0, 0.0),
) -> UInt8[ndarray, "h w"]:
    """Paste a cut-out into a frame, in place.

    Args:
        frame: The picture to draw on.
        cutout: What to paste; shrinking by more than two should be done by `shrunk` first.
        pose: Where.
        wobble: Non-rigid motion in the unit square of the cut-out.
        time: Frame steps, for the wobble.
        blur: Length in pixels of motion blur in x and y.

    Returns:
        1 where the cut-out covers more than half of a pixel.
    """
    import cv2

    covered = np.zeros(frame.shape[:2], np.uint8)
    h, w = cutout.alpha.shape
    cos, sin = np.cos(pose.angle), np.sin(pose.angle)
    half_w, half_h = pose.scale_x * w / 2, pose.scale_y * h / 2
    reach_x = abs(cos) * half_w + abs(sin) * half_h + abs(blur[0])
    reach_y = abs(sin) * half_w + abs(cos) * half_h + abs(blur[1])
    if wobble is not None:
        reach_x, reach_y = 1.1 * reach_x, 1.1 * reach_y
    x0, x1 = max(int(pose.x - reach_x), 0), min(int(pose.x + reach_x) + 2, frame.shape[1])
    y0, y1 = max(int(pose.y - reach_y), 0), min(int(pose.y + reach_y) + 2, frame.shape[0])
    if x1 <= x0 or y1 <= y0:
        return covered

    turn = np.array([[cos, -sin], [sin, cos]]) / (
        pose.scale_x * w,
        pose.scale_y * h,
    )  # offset @ turn = R(-angle) / size

    def to_source(points: ndarray) -> ndarray:
        unit = (points - (pose.x, pose.y)) @ turn + 0.5
        return (unit if wobble is None else wobble(unit, time)) * (w, h) - 0.5

    where = mesh_map(to_source, x0, y0, x1 - x0, y1 - y0)
    pixels = cv2.remap(cutout.pixels, where, NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.remap(cutout.alpha, where, NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    window = frame[y0:y1, x0:x1]
    if max(abs(blur[0]), abs(blur[1])) >= 1:
        kernel = line_kernel(*blur)
        weight = cv2.merge([alpha] * 3)
        pixels = cv2.filter2D(cv2.multiply(pixels, weight, scale=1 / 255), -1, kernel)
        alpha = cv2.filter2D(alpha, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    else:
        pixels = cv2.multiply(pixels, cv2.merge([alpha] * 3), scale=1 / 255)
    rest = cv2.merge([255 - alpha] * 3)
    window[:] = cv2.add(pixels, cv2.multiply(window, rest, scale=1 / 255))
    covered[y0:y1, x0:x1] = alpha > 127
    return covered


def shrunk(cutout: Cutout, scale: float) -> tuple[Cutout, float]:
    """Shrink a cut-out beforehand where `scale` is below one half, so that pasting skips no pixels.

    Returns:
        The cut-out and the factor by which its scales must now be multiplied.
    """
    import cv2

    if scale >= 0.6:
        return cutout, 1.0
    factor = scale / 0.8
    pixels = cv2.resize(cutout.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(cutout.alpha, pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    return Cutout(pixels, alpha, int(np.count_nonzero(alpha > 127))), 1 / factor


def line_kernel(dx: float, dy: float) -> ndarray:
    """Weights of a straight motion blur of `dx`, `dy` pixels."""
    import cv2

    reach = int(np.ceil(max(abs(dx), abs(dy)) / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [(round(16 * (reach + sign * dx / 2)), round(16 * (reach + sign * dy / 2))) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    total = kernel.sum()
    if total == 0:
        kernel[reach, reach] = total = 1.0
    return kernel / total
