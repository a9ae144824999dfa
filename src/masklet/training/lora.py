"""LoRA (arXiv 2106.09685): chosen matrices and kernels learn a change of low rank, everything else stays.

Built on torch's parametrisations, so that names stay those of the model and the change is added to the weights in one
call; adapters of ``peft`` wrap modules, which renames them, and do not reach kernels of transposed convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

ADAPTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class LoRA:
    """Which modules learn how much.

    Attributes:
        modules: Patterns (``*`` matches anything) of names of linear and convolution modules.
        rank: Rank of the change; 0: no LoRA, the weights themselves learn.
        alpha: The change is scaled by ``alpha / rank``.
        also: Patterns of names of parameters that learn in full beside them.
    """

    modules: tuple[str, ...] = ("image_encoder.trunk.*", "memory_attention.*")
    rank: int = 0
    alpha: float = 16.0
    also: tuple[str, ...] = ("mask_decoder.*",)


class LowRank(nn.Module):
    """Adds ``scale * up @ down`` to a weight, whose first axis the rows of ``up`` belong to; starts at 0."""

    def __init__(self, weight: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(rank, rows, columns)
        self.scale = scale
        self.down = nn.Parameter(torch.empty(rank, columns, device=weight.device, dtype=weight.dtype))
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device, dtype=weight.dtype))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        return weight + self.scale * (self.up @ self.down).view_as(weight)


def add_lora(model: nn.Module, config: LoRA, seed: int = 0) -> list[str]:
    """Freeze the model but for changes of low rank to some modules; returns the names of those modules.

    Raises:
        ValueError: A pattern fits nothing, or the rank is below 1.
    """
    if config.rank < 1:
        raise ValueError(f"rank must be at least 1, got {config.rank}")
    modules = {name: module for name, module in model.named_modules() if isinstance(module, ADAPTED)}
    chosen = []
    for pattern in config.modules:
        fitting = [name for name in modules if fnmatchcase(name, pattern)]
        if not fitting:
            raise ValueError(
                f"LoRA pattern {pattern!r} fits no linear or convolution module, such as {next(iter(modules))}"
            )
        chosen += [name for name in fitting if name not in chosen]
    names = [name for name, _ in model.named_parameters()]
    for pattern in config.also:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"LoRA pattern {pattern!r} fits no parameter, such as {names[0]}")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in config.also))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in chosen:
            weight = modules[name].weight
            assert isinstance(weight, Tensor)
            change = LowRank(weight, config.rank, config.alpha / config.rank)
            parametrize.register_parametrization(modules[name], "weight", change)
    return chosen


def merge_lora(model: nn.Module) -> None:
    """Add the changes to the weights, in place: the model has its plain names and shapes again."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
