"""Recipes by name: functions from a data folder to a run, with the expected score, cost and hardware."""

from __future__ import annotations

from collections.abc import Callable

from ..recipe import Recipe
from .finetune import clips_from_images, images, videos
from .nano import ablation, ablation_scratch, nano, nano_further
from .official import full, long_clips, mose, sa_1b

RECIPES: dict[str, Callable[[str], Recipe]] = {
    "images": images,
    "videos": videos,
    "clips-from-images": clips_from_images,
    "nano": nano,
    "nano-further": nano_further,
    "ablation": ablation,
    "ablation-scratch": ablation_scratch,
    "sa-1b": sa_1b,
    "full": full,
    "long-clips": long_clips,
    "mose": mose,
}
