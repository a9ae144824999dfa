"""Batches of a run: each depends on the recipe's seed and the number of the step alone, whoever makes it and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from .recipe import Recipe, Source, Stage, is_drawn


@dataclass(frozen=True)
class Batch:
    """What one process learns from in one step.

    Attributes:
        kind: ``image`` or ``clip``.
        arrays: See :meth:`~masklet.training.recipe.Source.sample`, with a leading axis of samples.
        names: What the samples are called.
        numbers: Place of each sample in the batch of all processes, the seed of its clicks.
    """

    kind: str
    arrays: dict[str, np.ndarray]
    names: tuple[str, ...]
    numbers: tuple[int, ...]


def kind_of(recipe: Recipe, stage: Stage, step: int) -> str:
    """What a step learns from, the same on every process."""
    return "clip" if np.random.default_rng([recipe.seed, step]).random() < stage.clips else "image"


def shared_generator(recipe: Recipe, step: int) -> np.random.Generator:
    """Draws that all processes have in common in a step."""
    return np.random.default_rng([recipe.seed, step, 1])


def place_generators(recipe: Recipe, step: int, numbers: Sequence[int]) -> list[np.random.Generator]:
    """Where clicks fall, a generator a sample."""
    return [np.random.default_rng([recipe.seed, step, 2, number]) for number in numbers]


def make_batch(recipe: Recipe, stage: Stage, step: int, rank: int = 0, world: int = 1) -> Batch:
    """The part of a batch that is one process's; batches whose gradients make one step are of one kind.

    Raises:
        ValueError: The batch cannot be dealt out evenly.
    """
    kind = kind_of(recipe, stage, step // recipe.optimisation.accumulate)
    size = stage.batch(kind)
    if size % world or not size:
        raise ValueError(f"{size} {kind}s a step cannot be dealt out to {world} processes: take a multiple of {world}")
    sources: list[Source] = [source for source in recipe.sources if source.kind == kind and is_drawn(source.weight)]
    weights = np.array([source.count() if source.weight is None else source.weight for source in sources], float)
    drawn, names = [], []
    numbers = range(rank * size // world, (rank + 1) * size // world)
    for number in numbers:
        rng = np.random.default_rng([recipe.seed, step, 3, number])
        source = sources[rng.choice(len(sources), p=weights / weights.sum())]
        sample, name = source.sample(step * size + number, rng, stage)
        drawn.append(sample)
        names.append(name)
    arrays = {key: np.stack([sample[key] for sample in drawn]) for key in drawn[0]}
    return Batch(kind, arrays, tuple(names), tuple(numbers))


class _Steps(Dataset[Batch]):
    def __init__(self, *place: Any) -> None:
        self.recipe, self.stage, self.first, self.rank, self.world = place

    def __getitem__(self, index: int) -> Batch:
        return make_batch(self.recipe, self.stage, self.first + index, self.rank, self.world)


def batches(
    recipe: Recipe, stage: Stage, first: int, rank: int = 0, world: int = 1, workers: int = 0
) -> Iterator[Batch]:
    """Endless batches of a stage from a step on, made ahead by so many worker processes (0: when asked for)."""
    if not workers:
        step = first
        while True:
            yield make_batch(recipe, stage, step, rank, world)
            step += 1
    steps = _Steps(recipe, stage, first, rank, world)
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=_Count(),
        num_workers=workers,
        prefetch_factor=2,
        multiprocessing_context="spawn",
    )
    yield from loader


class _Count:
    """0, 1, 2, ... without end."""

    def __iter__(self) -> Iterator[int]:
        n = 0
        while True:
            yield n
            n += 1
