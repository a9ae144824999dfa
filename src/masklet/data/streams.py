"""Endless shuffled streams of record numbers, split between processes and resumable anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer


class Step(NamedTuple):
    """One draw: the number of a record, and where in the stream it stands.

    ``(seed, epoch, position, rank)`` names a draw for good: random augmentations may be seeded with it.
    """

    index: int
    epoch: int
    position: int


@dataclass(frozen=True)
class IndexStream:
    """Record numbers 0 to ``count - 1``, each once an epoch over all ranks, in an order of its own for every epoch.

    What comes depends on the fields alone. Memory: one permutation of ``count`` numbers.

    Attributes:
        count: Records of the data set.
        seed: The order depends on it and on the epoch.
        rank: Number of this process.
        world: Number of processes.
        shuffle: Else the records come in their order.
        even: All ranks get equally many, so that they stay in step: some records come twice in an epoch where ``world``
            does not divide ``count``. Else every record comes exactly once, as evaluation needs it.
    """

    count: int
    seed: int = 0
    rank: int = 0
    world: int = 1
    shuffle: bool = True
    even: bool = True

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValueError: There are no records, the seed is negative, or there is no such rank.
        """
        if self.count < 1 or self.seed < 0:
            raise ValueError(f"expected at least one record and a seed of 0 or more, got {self.count} and {self.seed}")
        if not 0 <= self.rank < self.world:
            raise ValueError(f"expected a rank from 0 to {self.world - 1} (world - 1), got {self.rank}")

    @property
    def length(self) -> int:
        """Draws of this rank in an epoch."""
        if self.even:
            return -(-self.count // self.world)
        return len(range(self.rank, self.count, self.world))

    def epoch(self, epoch: int = 0, position: int = 0) -> Iterator[Step]:
        """The draws of one epoch from a position on.

        Raises:
            ValueError: The epoch or the position is negative.
        """
        if epoch < 0 or position < 0:
            raise ValueError(f"expected an epoch and a position of 0 or more, got {epoch} and {position}")
        order = self._order(epoch)
        for place in range(position, self.length):
            yield Step(int(order[(self.rank + place * self.world) % self.count]), epoch, place)

    def endless(self, epoch: int = 0, position: int = 0) -> Iterator[Step]:
        """The draws of one epoch after the other; to go on after a step, start with its position plus 1.

        Raises:
            ValueError: The epoch or the position is negative, or this rank has no records at all.
        """
        if not self.length:
            raise ValueError(f"rank {self.rank} of {self.world} gets none of {self.count} records: use even=True")
        while True:
            yield from self.epoch(epoch, position)
            epoch, position = epoch + 1, 0

    def _order(self, epoch: int) -> Integer[np.ndarray, " n"]:
        numbers = np.arange(self.count)
        return np.random.default_rng((self.seed, epoch)).permutation(numbers) if self.shuffle else numbers
