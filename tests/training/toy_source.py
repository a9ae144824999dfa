"""A source of moving discs, and a recipe that learns from it in seconds; importable by other processes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from masklet.model.config import NANO
from masklet.training.optimisation import Optimisation
from masklet.training.recipe import Recipe, Stage
from masklet.training.rollout import RolloutConfig
from masklet.training.user import Interaction
from tiny_model import clip, disc


@dataclass(frozen=True)
class Discs:
    kind: str
    weight: float | None = 1.0
    different: int = 1000  # samples
    uneven: bool = False  # every other clip lacks truth after its first frame

    def count(self) -> int:
        return self.different

    def sample(self, number: int, rng: np.random.Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        at = int(rng.integers(self.different))
        size = stage.size
        count = stage.frames if self.kind == "clip" else 1
        frames = np.stack(clip(at + count, size, size)[at:])
        discs = np.stack([disc(at + t, size, size) for t in range(count)]).astype(np.uint8)
        name = f"{self.kind} {at}"
        if self.kind == "image":
            return {"images": frames[0], "masks": np.stack([discs[0]] * stage.masks)}, name
        masks = np.stack([discs] * stage.objects, axis=1)
        labelled = np.arange(count) == 0 if self.uneven and number % 2 else np.ones(count, bool)
        return {"frames": frames, "masks": masks, "labelled": labelled}, name


STAGE = Stage(clips=0.5, size=64, images=2, masks=2, videos=2, frames=3, objects=1)
TOY = Recipe(
    "toy",
    "random",
    (STAGE,),
    (Discs("image", different=8), Discs("clip", different=8)),
    NANO,
    rollout=RolloutConfig(Interaction(corrections=(0.0, 1.0))),
    optimisation=Optimisation(rate=1e-3, encoder_rate=1e-3, warmup=2, clip=1.0, average=0.9),
    steps=6,
)


def toy(**changes: object) -> Recipe:
    return replace(TOY, **changes)  # pyright: ignore[reportArgumentType]
