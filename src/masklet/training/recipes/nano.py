"""The recipes of ``nano``, the small default model. Scores, curves and limits: docs/nano.md."""

from __future__ import annotations

from dataclasses import replace

from ...model.config import NANO
from ..initial import PRETRAINED
from ..losses import LossWeights
from ..optimisation import Optimisation
from ..recipe import Recipe, Stage
from ..rollout import RolloutConfig
from ..sources import MadeUpAndRealClips, Photos
from ..user import Interaction

# Departures from the paper's defaults, which at this size and length of training collapse to empty masks.
ROLLOUT = RolloutConfig(
    Interaction(
        box=0.25,
        prompted=1,
        correct=0.3,
        correct_masks=True,
        corrections=(0.45, 0.3, 0.25),
        keep_logits=0.75,
        from_truth=0.0,
        centre=0.6,
        forget=0.25,
        stride=4,
    ),
    LossWeights(focal=6.0, dice=1.5, alpha=0.5, full_size=False, all_masks=True, gate=False),
    per_decoding=True,
    pointers_ahead=False,
    span_of_clip=False,
)

OPTIMISATION = Optimisation(
    rate=7e-4,
    encoder_rate=1.5e-4,
    encoder="image_encoder.trunk.*",
    weight_decay=0.02,
    betas=(0.9, 0.98),
    clip=1.0,
    warmup=300,
    floor=0.02,
    average=0.999,
)

SMALL = Stage(size=256, images=8, masks=8, videos=4, frames=4, objects=2)
LARGE = replace(SMALL, size=384, images=4, videos=2, frames=6)


def nano(data: str) -> Recipe:
    """``nano`` from an ImageNet trunk: images, then images and clips, the last part at 384 px.

    ``data`` holds ``images/``, ``videos/train`` and ``splits.json``. Two CPU cores for an hour (54 minutes of processor
    time on each of two processes) gave J .616 from the first-frame mask on 14 held-back clips.
    """
    return Recipe(
        "nano",
        PRETRAINED,
        stages=(
            replace(SMALL, until=0.3, clips=0.0),
            replace(SMALL, until=0.7, clips=0.6),
            replace(LARGE, until=1.0, clips=0.6),
        ),
        sources=(Photos(data), MadeUpAndRealClips(data)),
        model=NANO,
        rollout=ROLLOUT,
        optimisation=OPTIMISATION,
        minutes=54.0,
    )


def nano_further(data: str) -> Recipe:
    """Trained ``nano`` weights further: mostly clips, mostly at 384 px, up to 8 frames.

    Start from weights with ``start=FILE``, and average the result with them afterwards
    (:mod:`masklet.training.weight_average`). Two CPU cores for two hours (98 minutes of processor time on each of two
    processes) brought J from .616 to .633 on 14 held-back clips, and the average of both to .642.
    """
    return replace(
        nano(data),
        name="nano-further",
        start="nano",
        model=None,
        stages=(
            replace(SMALL, until=0.15, clips=0.65),
            replace(LARGE, until=0.65, clips=0.65),
            replace(LARGE, until=1.0, clips=0.65, frames=8),
        ),
        optimisation=replace(OPTIMISATION, rate=5e-4, encoder_rate=1e-4),
        minutes=100.0,
    )


def ablation(data: str) -> Recipe:
    """``nano`` a little further at 256 px, on clips of 8 frames: what variants of its memory are compared in.

    Seven minutes of one CPU core a run, J about .63 at 256 px. Scores: docs/nano.md.
    """
    further = nano_further(data)
    return replace(
        further,
        name="ablation",
        stages=(replace(SMALL, clips=0.8, videos=2, frames=8),),
        model=replace(NANO, image_size=256),
        optimisation=replace(further.optimisation, rate=3e-4, warmup=30, average=0.99),
        minutes=7.0,
    )


def ablation_scratch(data: str) -> Recipe:
    """A small ``nano`` from an ImageNet trunk: images and clips at 192 px, for variants that trained weights rule out.

    Fourteen minutes of one CPU core a run; scored at 256 px, J about .5. Scores: docs/nano.md.
    """
    small = replace(SMALL, size=192)
    return replace(
        nano(data),
        name="ablation-scratch",
        stages=(replace(small, until=0.4, clips=0.0), replace(small, clips=0.6)),
        model=replace(NANO, image_size=256),
        optimisation=replace(OPTIMISATION, warmup=60, average=0.99),
        minutes=14.0,
    )
