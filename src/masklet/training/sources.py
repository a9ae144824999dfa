"""Sources of samples: what the recipes draw from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from ..data.augmentation import FLIP_ONLY, Augmentation, augment
from ..data.clips import ClipStore
from ..data.open import open_dataset
from ..data.order import record_of
from ..data.record_stills import RecordStills, of_records
from ..data.records import AnnotatedVideo, VideoDataset
from ..data.sampling import TrainingData, clip_sample, image_sample
from ..data.stills import StillStore
from ..data.synthetic import ClipConfig, make_clip
from .recipe import Stage

T = TypeVar("T")
LARGEST_SHARE = 0.9
"""Masks of images that cover more than this are dropped, as in the paper."""
_ATTEMPTS = 20


@dataclass(frozen=True)
class Photos:
    """Crops of photos with outlined regions (``images`` and ``splits.json`` of a data root), cut-outs pasted in.

    Attributes:
        root: The data root.
        weight: How often it is drawn from.
        share: Of the photos that are drawn from.
    """

    root: str
    weight: float = 1.0
    share: float = 1.0
    kind: str = "image"

    def sample(self, number: int, rng: Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A photo's crop; see :func:`masklet.data.sampling.image_sample`."""
        drawn = image_sample(rng, _opened(self.root, self.share).stills, stage.size, stage.masks)
        return {"images": drawn["image"], "masks": drawn["masks"]}, f"photo {number}"


@dataclass(frozen=True)
class MadeUpAndRealClips:
    """Made-up clips from those photos, and pieces of the real clips (``videos/train`` of the root).

    Attributes:
        root: The data root.
        weight: How often it is drawn from.
        share: Of the photos and clips that are drawn from.
    """

    root: str
    weight: float = 1.0
    share: float = 1.0
    kind: str = "clip"

    def sample(self, number: int, rng: Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A clip; see :func:`masklet.data.sampling.clip_sample`."""
        data = _opened(self.root, self.share)
        clip = clip_sample(rng, data.stills, data.clips, stage.size, stage.frames, stage.objects)
        return {"frames": clip.frames, "masks": clip.masks, "labelled": clip.labelled}, f"clip {number}"


@lru_cache(maxsize=4)
def _opened(root: str, share: float) -> TrainingData:
    data = TrainingData.open(root)
    if share >= 1:
        return data
    stills = StillStore([s for part in data.stills.by_set.values() for s in _part(part, share)])
    return TrainingData(stills, None if data.clips is None else ClipStore(_part(data.clips.clips, share)))


def _part(items: Sequence[T], share: float) -> list[T]:
    """A share of the items, at least one: the same ones for a share, and more of them for a larger one."""
    order = np.random.default_rng(0).permutation(len(items))[: max(1, round(share * len(items)))]
    return [items[i] for i in sorted(order)]


@dataclass(frozen=True)
class Images:
    """Images of a data set in any format that :func:`masklet.data.open.open_dataset` reads, with up to all their masks.

    Attributes:
        path: Folder, annotation file or address of the data set.
        format: Name of the format; None: what it looks like.
        split: Part of the data set.
        weight: How often it is drawn from, among sources of its kind; None: as often as it has images.
        augmentation: What is changed.
        seed: Of the order of the images.
    """

    path: str
    format: str | None = None
    split: str | None = None
    weight: float | None = None
    augmentation: Augmentation = FLIP_ONLY
    seed: int = 0
    kind: str = "image"

    def count(self) -> int:
        """Images of the data set."""
        return len(_data(self.path, self.format, self.split))

    def sample(self, number: int, rng: Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """An image with ``stage.masks`` of its masks, which repeat where it has fewer.

        Raises:
            ValueError: No image with a usable mask was found, or one is damaged.
        """
        dataset = _data(self.path, self.format, self.split)
        for attempt in range(_ATTEMPTS):
            image = dataset[record_of(number + attempt, len(dataset), self.seed)]
            if not image.annotated:
                continue
            known = [m for m in image.masks(image.annotated[0]).values() if m.mean() <= LARGEST_SHARE]
            if not known:
                continue
            chosen = [known[i].astype(np.uint8) for i in rng.permutation(len(known))[: stage.masks]]
            picture = image.image(image.annotated[0])
            frames, masks = augment(rng, [picture], [chosen], stage.size, self.augmentation)
            left = [mask for mask in masks[0] if mask.any()]
            if left:
                return {"images": frames[0], "masks": _repeated(np.stack(left), stage.masks)}, image.name
        raise ValueError(f"{_ATTEMPTS} images of {self.path} have no mask of use: look with `masklet data check`")


@dataclass(frozen=True)
class Clips:
    """Pieces of the videos of a data set: annotated frames that follow one another.

    Attributes:
        path: Folder, annotation file or address of the data set.
        format: Name of the format; None: what it looks like.
        split: Part of the data set.
        weight: How often it is drawn from, among sources of its kind; None: as often as it has videos.
        augmentation: What is changed.
        reverse: Chance that time runs backward.
        longest_step: Annotated frames from one frame of a clip to the next, at most.
        seed: Of the order of the videos.
    """

    path: str
    format: str | None = None
    split: str | None = None
    weight: float | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    reverse: float = 0.5
    longest_step: int = 1
    seed: int = 0
    kind: str = "clip"

    def count(self) -> int:
        """Videos of the data set."""
        return len(_data(self.path, self.format, self.split))

    def sample(self, number: int, rng: Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A clip with ``stage.objects`` of the objects in its first frame, which repeat where there are fewer.

        Raises:
            ValueError: No clip with a visible object was found, or a video is damaged.
        """
        dataset = _data(self.path, self.format, self.split)
        for attempt in range(_ATTEMPTS):
            video = dataset[record_of(number + attempt, len(dataset), self.seed)]
            found = self._clip(video, rng, stage)
            if found is not None:
                return found, video.name
        raise ValueError(
            f"{_ATTEMPTS} videos of {self.path} have no {stage.frames} annotated frames with an object in the first: "
            "take shorter clips (stages.0.frames), or look with `masklet data check`"
        )

    def _clip(self, video: AnnotatedVideo, rng: Generator, stage: Stage) -> dict[str, np.ndarray] | None:
        known = video.annotated
        if len(known) < stage.frames:
            return None
        most = (len(known) - 1) // max(stage.frames - 1, 1) if stage.frames > 1 else 1
        step = int(rng.integers(1, min(self.longest_step, most), endpoint=True))
        start = int(rng.integers(len(known) - step * (stage.frames - 1)))
        numbers = [known[start + step * i] for i in range(stage.frames)]
        if rng.random() < self.reverse:
            numbers.reverse()
        seen = sorted(video.masks(numbers[0]))
        if not seen:
            return None
        ids = [seen[i] for i in rng.permutation(len(seen))[: stage.objects]]
        pictures, masks, labelled = [], [], []
        for index in numbers:
            here = video.masks(index, ids)
            pictures.append(video.image(index))
            empty = np.zeros(video.size, np.uint8)
            masks.append([here[one].astype(np.uint8) if one in here else empty for one in ids])
            labelled.append(not video.unknown(index) & set(ids))
        frames, truth = augment(rng, pictures, masks, stage.size, self.augmentation)
        visible = [o for o in range(len(ids)) if truth[0, o].any()]
        if not visible:
            return None
        truth = _repeated(truth[:, visible].swapaxes(0, 1), stage.objects).swapaxes(0, 1)
        return {"frames": frames, "masks": np.ascontiguousarray(truth), "labelled": np.array(labelled)}


@dataclass(frozen=True)
class MadeUpClips:
    """Clips made out of a data set of images: stills in camera motion, cut-outs that move, hide one another and leave.

    Attributes:
        path: Folder, annotation file or address of a data set of images with masks.
        format: Name of the format; None: what it looks like.
        split: Part of the data set.
        weight: How often it is drawn from, among sources of its kind; None: as often as it has images.
        config: What happens in a clip.
    """

    path: str
    format: str | None = None
    split: str | None = None
    weight: float | None = None
    config: ClipConfig = field(default_factory=ClipConfig)
    kind: str = "clip"

    def count(self) -> int:
        """Images of the data set."""
        return len(_data(self.path, self.format, self.split))

    def sample(self, number: int, rng: Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A clip; see :func:`masklet.data.synthetic.make_clip`.

        Raises:
            ValueError: The data set holds videos, or no image has a whole object to cut out.
        """
        stills, config = _filmed(self.path, self.format, self.split), of_records(self.config)
        clip = make_clip(rng, stills, stage.size, stage.frames, stage.objects, config)
        return {"frames": clip.frames, "masks": clip.masks, "labelled": clip.labelled}, f"made-up clip {number}"


@lru_cache(maxsize=16)
def _filmed(path: str, format: str | None, split: str | None) -> RecordStills:
    return RecordStills(open_dataset(path, format, split))


@dataclass(frozen=True)
class Blobs:
    """Bright ellipses that drift over noise: needs no data, for trying out that a recipe runs.

    Attributes:
        kind: ``image`` or ``clip``.
        weight: How often it is drawn from.
    """

    kind: str
    weight: float = 1.0

    def sample(self, number: int, rng: Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A sample of the shape that the stage asks for."""
        frames = stage.frames if self.kind == "clip" else 1
        objects = stage.objects if self.kind == "clip" else stage.masks
        size = stage.size
        yy, xx = np.mgrid[0:size, 0:size].astype(np.float32) / size
        pictures = rng.integers(0, 90, (frames, size, size, 3)).astype(np.uint8)
        masks = np.zeros((frames, objects, size, size), np.uint8)
        for o in range(objects):
            centre, drift = rng.uniform(0.25, 0.75, 2), rng.normal(0, 0.02, 2)
            radii, colour = rng.uniform(0.1, 0.25, 2), rng.integers(120, 255, 3)
            for t in range(frames):
                x, y = centre + t * drift
                inside = ((xx - x) / radii[0]) ** 2 + ((yy - y) / radii[1]) ** 2 < 1
                masks[t, :o] &= ~inside
                masks[t, o] = inside
                pictures[t][inside] = colour
        name = f"{self.kind} {number}"
        if self.kind == "image":
            return {"images": pictures[0], "masks": masks[0]}, name
        return {"frames": pictures, "masks": masks, "labelled": np.ones(frames, bool)}, name


def _repeated(masks: np.ndarray, count: int) -> np.ndarray:
    """So many of them, over again where there are too few."""
    return masks[np.arange(count) % len(masks)]


@lru_cache(maxsize=16)
def _data(path: str, format: str | None, split: str | None) -> VideoDataset:
    return open_dataset(path, format, split)
