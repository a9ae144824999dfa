"""Made-up clips with exact masks: stills in camera motion, and cut-outs that move, hide one another and leave."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from .cutouts import Cutout, CutoutConfig, Pose, draw_sprite, line_kernel, paste, shrunk
from .motion import NO_SECOND_MAP, apply_homography, camera_path, draw_path, draw_times, mesh_map
from .thin_plate import ThinPlate
from .transforms import ColourConfig, CropConfig, draw_crop, jitter_colours

if TYPE_CHECKING:
    from .stills import Still, Stills


LEAST_AREA = 0.003  # of the frame, that an object must show in frame 0
_ATTEMPTS = 50


@dataclass(frozen=True)
class ClipConfig:
    """Probabilities and strengths of what happens in a made-up clip.

    Attributes:
        camera: Range of the camera's shift a step as a fraction of the frame, drawn log-uniformly.
        object: Likewise for the motion of each cut-out.
        wobble: Largest non-rigid displacement as a fraction of the thing.
        still_object: Probability that a part of the background is one of the objects.
        copy: Probability that a cut-out appears a second time, as a look-alike.
        join: Probability that a second cut-out moves with it and belongs to the same object, like a rider to a horse.
        leave: Probability that a cut-out leaves the frame for some time.
        cross: Probability that the cut-out on top passes over another one.
        gap: Probability that frames are missing in between; `longest` is the largest step then.
        flicker: Largest relative change of exposure from frame to frame, for a third of the clips.
    """

    camera: tuple[float, float] = (0.002, 0.05)
    object: tuple[float, float] = (0.004, 0.08)
    wobble: float = 0.05
    still_object: float = 0.25
    copy: float = 0.2
    join: float = 0.3
    leave: float = 0.12
    cross: float = 0.2
    gap: float = 0.35
    longest: int = 4
    flicker: float = 0.12
    crop: CropConfig = field(default_factory=lambda: CropConfig(scale=(0.2, 0.8), whole=0.1))
    colour: ColourConfig = field(default_factory=ColourConfig)
    cutouts: CutoutConfig = field(default_factory=CutoutConfig)


@dataclass(frozen=True)
class ClipSample:
    """A clip for training.

    Attributes:
        frames: RGB.
        masks: 0 or 1, the visible part of each object; meaningless where `labelled` is false.
        labelled: Whether the masks of a frame are known.
    """

    frames: UInt8[ndarray, "t s s 3"]
    masks: UInt8[ndarray, "t o s s"]
    labelled: Bool[ndarray, " t"]


@dataclass(frozen=True)
class Actor:
    """A cut-out and all its poses, one a frame; the rider, in front of it, is part of the same object."""

    cutout: Cutout
    poses: tuple[Pose, ...]
    wobble: ThinPlate | None
    rider: Actor | None = None


def make_clip(
    rng: Generator,
    stills: Stills,
    size: int = 256,
    frames: int = 4,
    objects: int = 2,
    config: ClipConfig | None = None,
) -> ClipSample:
    """Make a clip with exactly `objects` objects, each of which shows at least 0.3 % of the frame in frame 0.

    Raises:
        ValueError: There are no stills, or none with a thing to cut out.
        RuntimeError: The stills give no clip with so many visible objects.
    """
    config = config or ClipConfig()
    for _ in range(_ATTEMPTS):
        sample = _attempt(rng, stills, size, frames, objects, config)
        if sample is not None:
            return sample
    raise RuntimeError(f"no clip with {objects} visible objects in {_ATTEMPTS} attempts: give more stills")


def _attempt(
    rng: Generator, stills: Stills, size: int, frames: int, objects: int, config: ClipConfig
) -> ClipSample | None:
    times = draw_times(rng, frames, config.gap, config.longest)
    camera = camera_path(rng, times, size, _log_uniform(rng, config.camera))
    background, labels, ids = _moving_still(rng, stills, size, times, camera, config)
    from_still = len(ids) > 0 and rng.random() < config.still_object
    actors = draw_actors(rng, stills, size, times, camera, max(objects - from_still, 1), config)
    clip, masks = render(rng, background, actors, times)
    if from_still:
        table = np.zeros(256, np.uint8)
        table[list(ids)] = 1
        still = table[labels] * (1 - masks.max(axis=1))
        masks = np.concatenate([still[:, None], masks], axis=1)
    seen = masks[0].mean(axis=(1, 2))
    good = np.flatnonzero((seen >= LEAST_AREA) & (seen <= 0.9))
    if len(good) < objects:
        return None
    chosen = rng.permutation(good)[:objects]
    clip = np.stack(_finish(rng, list(clip), config))
    return ClipSample(clip, np.ascontiguousarray(masks[:, chosen]), np.ones(frames, bool))


def _moving_still(
    rng: Generator,
    stills: Stills,
    size: int,
    times: Float[ndarray, " t"],
    camera: Float[ndarray, "t 3 3"],
    config: ClipConfig,
) -> tuple[list[UInt8[ndarray, "s s 3"]], UInt8[ndarray, "t s s"], tuple[int, ...]]:
    """Film a still: frames, its moving part map, and the numbers of one region that may serve as an object."""
    import cv2

    still = _any_set(rng, stills)
    image = stills.image(still)
    height, width = image.shape[:2]
    crop = draw_crop(rng, height, width, size, config.crop)
    wobble = ThinPlate.draw(rng, 0.5 * config.wobble * rng.random(), 0.3) if rng.random() < 0.3 else None
    regions = stills.regions(still)
    region = None
    if regions:
        weights = np.array([entry.area for entry in regions], np.float64) ** 0.7
        region = regions[rng.choice(len(regions), p=weights / weights.sum())]
    part = stills.parts(still)[region.map] if region else np.zeros((height, width), np.uint8)
    frames, labels = [], np.zeros((len(times), size, size), np.uint8)
    for index, time in enumerate(times):
        back = np.linalg.inv(camera[index])

        def to_source(points: ndarray, back: ndarray = back, time: float = time) -> ndarray:
            points = apply_homography(back, points)
            if wobble is not None:
                points = wobble(points / size, time) * size
            return points @ crop[:, :2].T + crop[:, 2]

        where = mesh_map(to_source, 0, 0, size, size)
        frame = cv2.remap(image, where, NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        frames.append(frame)
        cv2.remap(part, where, NO_SECOND_MAP, cv2.INTER_NEAREST, dst=labels[index], borderMode=cv2.BORDER_REFLECT_101)
    if len(times) > 1 and rng.random() < 0.2:
        step = camera[1][:2, 2] - camera[0][:2, 2]
        step = np.clip(step * rng.uniform(0.2, 0.6), -9, 9)
        if np.abs(step).max() >= 1:
            frames = [cv2.filter2D(frame, -1, line_kernel(*step)) for frame in frames]
    return frames, labels, region.ids if region else ()


def _any_set(rng: Generator, stills: Stills) -> Still:
    sets = list(stills.by_set.values())
    if not sets:
        raise ValueError("there are no stills to film: give a store with at least one")
    chances = np.sqrt([len(pool) for pool in sets])  # between all photos alike and all sets alike
    pool = sets[rng.choice(len(sets), p=chances / chances.sum())]
    return pool[rng.integers(len(pool))]


def draw_actors(
    rng: Generator,
    stills: Stills,
    size: int,
    times: Float[ndarray, " t"],
    camera: Float[ndarray, "t 3 3"],
    least: int,
    config: ClipConfig,
) -> list[Actor]:
    """Draw `least` to three (or `least`) cut-outs and their motion, from the farthest to the nearest."""
    count = int(rng.integers(least, max(least, 3) + 1))
    actors: list[Actor] = []
    while len(actors) < count:
        cutout, scales = draw_sprite(rng, stills, size, config.cutouts)
        again = rng.random() < config.copy and count > 1
        for number in range(2 if again else 1):
            if number:
                change = np.exp(rng.normal(0, 0.1))
                scales = (scales[0] * change, scales[1] * change)
            actor = _actor(rng, cutout, scales, size, times, camera, config)
            if rng.random() < config.join:
                actor = replace(actor, rider=_rider(rng, actor, stills, size, times, config))
            actors.append(actor)
    actors = [actors[index] for index in rng.permutation(len(actors))]
    if len(actors) > 1 and len(times) > 1 and rng.random() < config.cross:
        actors[-1] = _crossing(rng, actors[-1], actors[0])
    return actors


def _actor(
    rng: Generator,
    cutout: Cutout,
    scales: tuple[float, float],
    size: int,
    times: Float[ndarray, " t"],
    camera: Float[ndarray, "t 3 3"],
    config: ClipConfig,
) -> Actor:
    speed = _log_uniform(rng, config.object)
    start = rng.uniform(0.12, 0.88, 2) * size
    path = start + draw_path(rng, times, speed, 2) * size
    if len(times) > 2 and rng.random() < config.leave:
        heading = rng.uniform(0, 2 * np.pi)
        away = np.sin(np.pi * times / times[-1] * rng.choice([0.5, 1.0])) ** 2  # to stay away, or to return at the end
        path += away[:, None] * size * 1.2 * np.array([np.cos(heading), np.sin(heading)])
    zoom = np.exp(np.clip(draw_path(rng, times, 0.5 * speed)[:, 0], -0.6, 0.6))
    angle = rng.normal(0, 0.12) + np.clip(draw_path(rng, times, speed)[:, 0], -0.9, 0.9)
    path = np.stack([apply_homography(matrix, point) for matrix, point in zip(camera, path, strict=True)])
    zoom = zoom * np.sqrt(np.abs(np.linalg.det(camera[:, :2, :2])))
    poses = tuple(
        Pose(float(x), float(y), float(scales[0] * k), float(scales[1] * k), float(a))
        for (x, y), k, a in zip(path, zoom, angle, strict=True)
    )
    wobble = ThinPlate.draw(rng, config.wobble * rng.random()) if rng.random() < 0.7 else None
    return Actor(cutout, poses, wobble)


def _rider(
    rng: Generator, mount: Actor, stills: Stills, size: int, times: Float[ndarray, " t"], config: ClipConfig
) -> Actor:
    """Draw a cut-out that overlaps another one and moves with it, swaying a little."""
    cutout, _ = draw_sprite(rng, stills, size, config.cutouts)
    first = mount.poses[0]
    area = mount.cutout.area * first.scale_x * first.scale_y * _log_uniform(rng, (0.3, 1.2))
    cutout, factor = shrunk(cutout, min(float(np.sqrt(area / cutout.area)), config.cutouts.enlarge))
    scale = min(float(np.sqrt(area / cutout.area)), config.cutouts.enlarge * factor)
    reach = 0.5 * (np.sqrt(mount.cutout.area * first.scale_x * first.scale_y) + np.sqrt(area))
    way = rng.uniform(0, 2 * np.pi)
    offset = rng.uniform(0.4, 0.9) * reach * np.array([np.cos(way), np.sin(way)])
    sway = 0.05 * reach * np.clip(draw_path(rng, times, 0.5, 2), -3, 3)
    lean = 0.3 * np.clip(draw_path(rng, times, 0.1)[:, 0], -1, 1) + rng.normal(0, 0.2)
    poses = []
    for pose, (dx, dy), extra in zip(mount.poses, sway + offset, lean, strict=True):
        zoom, turn = pose.scale_x / first.scale_x, pose.angle - first.angle
        x = pose.x + zoom * (np.cos(turn) * dx - np.sin(turn) * dy)
        y = pose.y + zoom * (np.sin(turn) * dx + np.cos(turn) * dy)
        poses.append(Pose(float(x), float(y), scale * zoom, scale * zoom, float(turn + extra)))
    wobble = ThinPlate.draw(rng, config.wobble * rng.random()) if rng.random() < 0.7 else None
    return Actor(cutout, tuple(poses), wobble)


def _crossing(rng: Generator, near: Actor, far: Actor) -> Actor:
    """Move the near actor's path so that it covers the far one some time after the first frame."""
    when = int(rng.integers(1, len(near.poses)))
    share = np.minimum(np.arange(len(near.poses)) / when, 2.0)
    miss = np.array([far.poses[when].x - near.poses[when].x, far.poses[when].y - near.poses[when].y])
    return _shifted(near, share[:, None] * miss)


def _shifted(actor: Actor, shifts: Float[ndarray, "t 2"]) -> Actor:
    poses = tuple(
        replace(pose, x=pose.x + float(dx), y=pose.y + float(dy))
        for pose, (dx, dy) in zip(actor.poses, shifts, strict=True)
    )
    return replace(actor, poses=poses, rider=None if actor.rider is None else _shifted(actor.rider, shifts))


def render(
    rng: Generator, background: list[UInt8[ndarray, "h w 3"]], actors: list[Actor], times: Float[ndarray, " t"]
) -> tuple[UInt8[ndarray, "t h w 3"], UInt8[ndarray, "t n h w"]]:
    """Paste the actors into the frames, in their order, and give the visible part of each, riders included (0 or 1)."""
    frames = np.stack(background)
    masks = np.zeros((len(frames), len(actors), *frames.shape[1:3]), np.uint8)
    shutter = rng.uniform(0.2, 0.7) if rng.random() < 0.3 else 0.0
    for number, actor in enumerate(actors):
        for part in (actor,) if actor.rider is None else (actor, actor.rider):
            for index, pose in enumerate(part.poses):
                blur = (0.0, 0.0)
                if shutter and index:
                    before = part.poses[index - 1]
                    gap = times[index] - times[index - 1]
                    step = np.clip(np.array([pose.x - before.x, pose.y - before.y]) * shutter / gap, -11, 11)
                    blur = (float(step[0]), float(step[1]))
                covered = paste(frames[index], part.cutout, pose, part.wobble, float(times[index]), blur)
                masks[index, number] |= covered
                masks[index, :number] &= 1 - covered
    return frames, masks


def _finish(rng: Generator, frames: list[UInt8[ndarray, "s s 3"]], config: ClipConfig) -> list[UInt8[ndarray, "s s 3"]]:
    import cv2

    frames = jitter_colours(rng, frames, config.colour)
    if rng.random() < 1 / 3:
        gains = 1 + rng.uniform(-1, 1, len(frames)) * config.flicker
        frames = [cv2.convertScaleAbs(frame, alpha=float(gain)) for frame, gain in zip(frames, gains, strict=True)]
    return frames


def _log_uniform(rng: Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))
