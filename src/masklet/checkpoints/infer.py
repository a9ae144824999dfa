"""Which model a file holds, from the names and shapes of its tensors alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise

import torch

from ..model.config import CONFIGS, HieraConfig, ModelConfig
from ..model.sam2 import build

Shape = tuple[int, ...]

_TRUNK = "image_encoder.trunk"
_LATER = ("no_object_memory", "memory_tokens.pointer_time.weight", "memory_tokens.pointer_time.bias")


@dataclass(frozen=True)
class Traits:
    """What shapes tell of a configuration; None where a file lacks the tensor that would tell.

    Attributes:
        trunk: ``hiera`` or ``efficientnet``.
        blocks: Of each trunk stage.
        stage_widths: Channels of each trunk stage.
        grid: Side of the learnt position map.
        version: 2.1 has a code for absent objects and one for the time of pointers.
    """

    trunk: str | None
    blocks: Shape | None
    stage_widths: Shape | None
    grid: int | None
    version: str
    width: int | None
    memory_width: int | None
    memories: int | None
    attention_layers: int | None

    def fit(self, known: Traits) -> bool:
        """Whether a configuration with ``known`` traits can have these."""
        pairs = ((getattr(self, f.name), getattr(known, f.name)) for f in fields(self))
        return all(mine is None or mine == theirs for mine, theirs in pairs)

    def __str__(self) -> str:
        shown = ((f.name.replace("_", " "), getattr(self, f.name)) for f in fields(self))
        return ", ".join(f"{name} {value}" for name, value in shown if value is not None)


def infer(shapes: Mapping[str, Shape]) -> str:
    """The name of the model whose tensors, in our names, have these shapes; key of ``CONFIGS``.

    Raises:
        ValueError: If no known model, or more than one, has them; the message lists what was found.
    """
    found = traits(shapes)
    names = [name for name, config in CONFIGS.items() if found.fit(traits_of(config))]
    if len(names) == 1:
        return names[0]
    if names:
        raise ValueError(f"got too few tensors to tell {', '.join(names)} apart (found only {found})")
    raise ValueError(f"got weights of no known model (found {found})")


def closest(shapes: Mapping[str, Shape], names: Iterable[str] = CONFIGS) -> str:
    """Which of these models has most of the tensors: by name and shape, then by name; of equals the smallest."""

    def agreement(name: str) -> tuple[int, int, int]:
        expected = _shapes_of(name)
        return len(shapes.items() & expected.items()), len(shapes.keys() & expected.keys()), -len(expected)

    return max(names, key=agreement)


@lru_cache
def _shapes_of(name: str) -> dict[str, Shape]:
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in build(CONFIGS[name]).state_dict().items()}


def traits(shapes: Mapping[str, Shape]) -> Traits:
    """The traits of tensors with these names and shapes."""

    def size(key: str, axis: int) -> int | None:
        shape = shapes.get(key, ())
        return shape[axis] if -len(shape) <= axis < len(shape) else None

    laterals = [size(f"image_encoder.neck.laterals.{i}.weight", 1) for i in range(4)]
    stage_widths = tuple(width for width in laterals if width is not None)
    trunk = None
    if any(key.startswith(f"{_TRUNK}.blocks.") for key in shapes):
        trunk = "hiera"
    elif any(key.startswith(f"{_TRUNK}.stages.") for key in shapes):
        trunk = "efficientnet"
    return Traits(
        trunk=trunk,
        blocks=_blocks(shapes),
        stage_widths=stage_widths if len(stage_widths) == 4 else None,
        grid=size(f"{_TRUNK}.position", -1),
        version="2.1" if any(key in shapes for key in _LATER) else "2.0",
        width=size("image_encoder.neck.laterals.0.weight", 0),
        memory_width=size("memory_encoder.out.weight", 0),
        memories=size("memory_tokens.time", 0),
        attention_layers=len(_numbers(shapes, r"memory_attention\.layers\.(\d+)\.")) or None,
    )


def traits_of(config: ModelConfig) -> Traits:
    """The traits that a configuration's tensors have."""
    hiera = config.trunk if isinstance(config.trunk, HieraConfig) else None
    return Traits(
        trunk="efficientnet" if hiera is None else "hiera",
        blocks=None if hiera is None else tuple(hiera.blocks),
        stage_widths=tuple(config.trunk.stage_widths),
        grid=None if hiera is None else hiera.position_grid,
        version=config.version,
        width=config.width,
        memory_width=config.memory_width,
        memories=config.memories,
        attention_layers=config.attention_layers,
    )


def _blocks(shapes: Mapping[str, Shape]) -> Shape | None:
    """Blocks of each stage: every stage after the first begins with a block that has a projected shortcut."""
    count = len(_numbers(shapes, rf"{re.escape(_TRUNK)}\.blocks\.(\d+)\."))
    starts = sorted(_numbers(shapes, rf"{re.escape(_TRUNK)}\.blocks\.(\d+)\.shortcut\."))
    if len(starts) != 3:
        return None
    return tuple(b - a for a, b in pairwise((0, *starts, count)))


def _numbers(shapes: Mapping[str, Shape], pattern: str) -> set[int]:
    matches = (re.match(pattern, key) for key in shapes)
    return {int(match[1]) for match in matches if match}
