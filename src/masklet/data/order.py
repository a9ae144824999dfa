"""The order in which records are drawn: each once an epoch, in an order of its own for every epoch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Integer


def record_of(number: int, count: int, seed: int = 0) -> int:
    """Which of ``count`` records is the ``number``-th that is drawn, counted over all processes and epochs.

    It depends on the arguments alone, so that processes that share the numbers share the records, and a run that goes
    on at a number goes on in the epoch. Memory: one permutation.

    Raises:
        ValueError: There are no records, or the number is negative.
    """
    if count < 1 or number < 0:
        raise ValueError(f"expected at least one record and a number of 0 or more, got {count} and {number}")
    epoch, place = divmod(number, count)
    return int(_order(seed, epoch, count)[place])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> Integer[np.ndarray, " n"]:
    return np.random.default_rng((seed, epoch)).permutation(count)
