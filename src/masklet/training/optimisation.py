"""What is learned and how fast: frozen parts, rates by layer, schedules, averaged weights (paper, table 13)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..model.hiera import Hiera
from ..model.sam2 import Sam2
from .lora import LoRA


@dataclass(frozen=True)
class Optimisation:
    """AdamW, its rates and their schedule; the defaults are those of the paper's full training.

    Attributes:
        rate: Highest learning rate of everything but the encoder.
        encoder_rate: Highest learning rate of the parameters that ``encoder`` names.
        encoder: Pattern (``*`` matches anything) of the names of the encoder's parameters.
        layer_decay: Factor on the rate for each block of a Hiera trunk that lies between it and the neck; None: 1.
        weight_decay: Of matrices, kernels and codes; biases, norms and gains have none.
        betas: Decay of AdamW's averages.
        clip: Largest norm of the gradient; None: any.
        schedule: After the warm-up, ``cosine`` falls to ``floor`` at the end, ``reciprocal_root`` as
            ``1 / sqrt(1 + step / timescale)`` with a linear ``cooldown``, ``constant`` not at all.
        warmup: Steps of linear warm-up.
        cooldown: Last share of the run, in which ``reciprocal_root`` goes linearly to 0.
        timescale: Steps in which ``reciprocal_root`` falls by the square root of two.
        floor: Where the cosine ends, as a share of the highest rate.
        accumulate: Batches whose gradients make one step.
        average: Decay of the running average of the weights that is saved; None: the weights themselves are.
        freeze: Patterns of the names of parameters that stay as they are.
        lora: Learn changes of low rank alone, which are part of the weights in the end.
    """

    rate: float = 3e-4
    encoder_rate: float = 6e-5
    encoder: str = "image_encoder.*"
    layer_decay: float | None = None
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = 0.1
    schedule: Literal["cosine", "reciprocal_root", "constant"] = "cosine"
    warmup: int = 15_000
    cooldown: float = 0.0
    timescale: float = 1000.0
    floor: float = 0.0
    accumulate: int = 1
    average: float | None = None
    freeze: tuple[str, ...] = ()
    lora: LoRA = field(default_factory=LoRA)

    def factor(self, step: int, progress: float) -> float:
        """What the highest rates are multiplied by at a step (from 0), ``progress`` (0..1) of the run being over."""
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "constant":
            return warm
        if self.schedule == "reciprocal_root":
            slow = 1 / math.sqrt(1 + max(step - self.warmup, 0) / self.timescale)
            cool = min(1.0, (1 - progress) / self.cooldown) if self.cooldown else 1.0
            return warm * slow * max(cool, 0.0)
        cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return warm * (self.floor + (1 - self.floor) * cosine)


def freeze(model: nn.Module, patterns: Iterable[str]) -> list[str]:
    """Stop the gradients of parameters whose names fit one of the patterns; returns their names.

    Raises:
        ValueError: A pattern fits no parameter.
    """
    names = [name for name, _ in model.named_parameters()]
    frozen: set[str] = set()
    for pattern in patterns:
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            parts = sorted({name.split(".")[0] for name in names})
            raise ValueError(
                f"freeze pattern {pattern!r} fits no parameter: use names such as {', '.join(parts)} with *"
            )
        frozen.update(fitting)
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return [name for name in names if name in frozen]


def parameter_groups(model: Sam2, config: Optimisation) -> list[dict[str, Any]]:
    """Groups of parameters that share a rate (``base``) and a decay, for AdamW; frozen ones are in none.

    Raises:
        ValueError: Nothing is left to learn.
    """
    trunk = model.image_encoder.trunk
    blocks = len(trunk.blocks) if isinstance(trunk, Hiera) else 0
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        rate = config.encoder_rate if fnmatchcase(name, config.encoder) else config.rate
        if config.layer_decay is not None:
            rate *= config.layer_decay ** layers_above(name, blocks)
        decay = config.weight_decay if is_decayed(name, p) else 0.0
        groups.setdefault((rate, decay), []).append(p)
    if not groups:
        raise ValueError(f"freeze={config.freeze} leaves nothing to learn: freeze less")
    return [{"params": params, "base": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def is_decayed(name: str, parameter: Tensor) -> bool:
    """Whether weight decay applies: to matrices and kernels, not to biases, norms and gains."""
    return parameter.ndim > 1 and not name.endswith("bias")


def layers_above(name: str, blocks: int) -> int:
    """Blocks of a Hiera trunk between a parameter and the neck, plus one; 0 outside the trunk.

    The two position codes learn at the full rate. Parity: ``layer_decay_param_modifier`` of training/optimizer.py with
    the override of the released configuration.
    """
    if not blocks or not name.startswith("image_encoder.trunk.") or "position" in name:
        return 0
    inside = re.match(r"image_encoder\.trunk\.blocks\.(\d+)\.", name)
    if inside:
        return blocks - int(inside[1])
    return blocks + 1 if ".patch." in name else 0


class Average:
    """Exponential moving average of the weights; younger at the start of a run."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for k, v in model.state_dict().items():
            if v.is_floating_point():
                self.state[k].lerp_(v, 1 - decay)
            else:
                self.state[k].copy_(v)
