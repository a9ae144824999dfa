"""A recipe made small: the same code in a minute on two cores, on made-up data, from random weights."""

from __future__ import annotations

from dataclasses import replace

from ...model.config import CONFIGS, NANO
from ..initial import RANDOM
from ..recipe import Recipe
from ..sources import Blobs

STEPS = 4


def smoke(recipe: Recipe) -> Recipe:
    """The recipe for a few steps of tiny inputs; what it computes is kept: user, losses, schedule, freezing."""
    stages = tuple(
        replace(stage, size=64, images=2, masks=min(stage.masks, 3), videos=2, frames=min(stage.frames, 4), objects=1)
        for stage in recipe.stages
    )
    light = recipe.model == NANO or recipe.start == "nano"
    kinds = sorted({source.kind for source in recipe.sources})
    return replace(
        recipe,
        start=RANDOM,
        model=NANO if light else CONFIGS["sam2.1_hiera_tiny"],
        stages=stages,
        sources=tuple(Blobs(kind) for kind in kinds),
        optimisation=replace(recipe.optimisation, warmup=min(recipe.optimisation.warmup, 2)),
        steps=STEPS,
        minutes=None,
    )
