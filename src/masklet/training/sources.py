"""Sources of samples: what the recipes draw from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..data.sampling import TrainingData, clip_sample, image_sample
from .recipe import Stage


@dataclass(frozen=True)
class Photos:
    """Crops of photos with outlined regions (``images`` and ``splits.json`` of a data root), cut-outs pasted in."""

    root: str
    weight: float = 1.0
    kind: str = "image"

    def sample(self, number: int, rng: np.random.Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A photo's crop; see :func:`masklet.data.sampling.image_sample`."""
        drawn = image_sample(rng, _opened(self.root).stills, stage.size, stage.masks)
        return {"images": drawn["image"], "masks": drawn["masks"]}, f"photo {number}"


@dataclass(frozen=True)
class MadeUpAndRealClips:
    """Made-up clips from those photos, and pieces of the real clips (``videos/train`` of the root)."""

    root: str
    weight: float = 1.0
    kind: str = "clip"

    def sample(self, number: int, rng: np.random.Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A clip; see :func:`masklet.data.sampling.clip_sample`."""
        data = _opened(self.root)
        clip = clip_sample(rng, data.stills, data.clips, stage.size, stage.frames, stage.objects)
        return {"frames": clip.frames, "masks": clip.masks, "labelled": clip.labelled}, f"clip {number}"


@lru_cache(maxsize=4)
def _opened(root: str) -> TrainingData:
    return TrainingData.open(root)
