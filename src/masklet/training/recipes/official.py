"""The training of the official models (paper, appendix C.2 and table 13; the released MOSE configuration).

Not run here at full size: each needs many GPUs. ``--smoke`` runs them small.
"""

from __future__ import annotations

from dataclasses import replace

from ...data.augmentation import FLIP_ONLY, Augmentation
from ...model.config import CONFIGS
from ..initial import RANDOM
from ..optimisation import Optimisation
from ..recipe import Recipe, Stage
from ..rollout import RolloutConfig
from ..sources import Clips, Images
from ..user import Interaction

PAPER = RolloutConfig(recompute=True)
DROPOUT = 0.1


def sa_1b(data: str) -> Recipe:
    """Pre-training of base_plus on SA-1B: images alone, up to 64 masks each.

    90,000 steps of 256 images at 1024 px, bf16; the paper starts from an MAE-pretrained Hiera. Layer decay and drop
    path are 0.8 and 0.1 for tiny and small, 0.925 and 0.3 for large. With ``full``: 256 A100 GPUs for 108 hours.
    Published: mean IoU 58.9 with 1 click and 81.7 with 5 on the SA-23 data sets.
    """
    return Recipe(
        "sa-1b",
        RANDOM,
        stages=(Stage(clips=0.0, size=1024, images=256, masks=64),),
        sources=(Images(data, "sa_1b", augmentation=FLIP_ONLY),),
        model=CONFIGS["sam2.1_hiera_base_plus"],
        rollout=PAPER,
        optimisation=Optimisation(
            rate=4e-4, encoder_rate=4e-4, layer_decay=0.9, schedule="reciprocal_root", warmup=1000, cooldown=5 / 90
        ),
        steps=90_000,
        drop_path=0.2,
        dropout=DROPOUT,
    )


def full(data: str) -> Recipe:
    """Full training of base_plus after ``sa-1b``: ``data`` holds ``sa_1b`` and ``sa_v``.

    300,000 steps of 256 images or 256 clips of 8 frames at 1024 px, bf16; 256 A100 GPUs for 108 hours with
    ``sa-1b``. The released mixture is 15 % SA-1B, 70 % SA-V and 15 % internal videos, whose share goes to SA-V here.
    Published, with the internal videos: SA-V test J&F 74.7 (version 2.0).
    """
    return Recipe(
        "full",
        "sa-1b/weights.safetensors",
        stages=(Stage(clips=0.848, size=1024, images=256, masks=64, videos=256, frames=8, objects=3),),
        sources=(
            Images(f"{data}/sa_1b", "sa_1b"),
            Clips(f"{data}/sa_v", "sa_v", "manual"),
        ),
        rollout=PAPER,
        optimisation=Optimisation(layer_decay=0.9),
        steps=300_000,
        drop_path=0.2,
        dropout=DROPOUT,
    )


def long_clips(data: str) -> Recipe:
    """Fine-tuning of a fully trained model on clips of 16 frames, the image encoder frozen, at half the rate.

    50,000 steps on the half of the clips that were edited most; here all of SA-V is drawn from. GPUs as in ``full``, 31
    hours by ``--plan``. Published, for the model that it starts from, which had this already: SA-V test J&F 78.2.
    """
    return Recipe(
        "long-clips",
        "sam2.1_hiera_base_plus",
        stages=(Stage(clips=1.0, size=1024, videos=256, frames=16, objects=3),),
        sources=(Clips(data, "sa_v", "manual", augmentation=Augmentation(mosaic=0.1)),),
        rollout=PAPER,
        optimisation=Optimisation(rate=1.5e-4, layer_decay=0.9, warmup=1000, freeze=("image_encoder.*",)),
        steps=50_000,
        dropout=DROPOUT,
    )


def mose(data: str) -> Recipe:
    """The released fine-tuning of base_plus on MOSE: 40 epochs over 1,246 videos twice, 8 clips a step.

    8 GPUs with 80 GB, four hours by ``--plan``. Released result: J&F 79.4 on the 200 videos of its sample split. All of
    the training videos in ``data`` are drawn from: take those 200 out first.
    """
    return Recipe(
        "mose",
        "sam2.1_hiera_base_plus",
        stages=(Stage(clips=1.0, size=1024, videos=8, frames=8, objects=3),),
        sources=(Clips(data, "mose", "train"),),
        rollout=replace(PAPER, interaction=Interaction()),
        optimisation=Optimisation(rate=5e-6, encoder_rate=3e-6, layer_decay=0.9, warmup=0, floor=0.1),
        steps=40 * 2 * 1246 // 8,
        drop_path=0.1,
        dropout=DROPOUT,
        seed=123,
    )
