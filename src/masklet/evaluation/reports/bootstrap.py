"""How far a mean over videos may be trusted: percentile bootstrap, whole videos (or images) drawn anew."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .samples import Grouped

LEVEL = 0.95
"""Share of repeated experiments in which an interval is to hold the true mean."""
RESAMPLES = 2000
_AT_ONCE = 1 << 20  # numbers drawn at once: bounds memory


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval; the limits are NaN where one group alone leaves them unknown."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2


def mean_interval(values: Grouped, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Mean over all units, with the interval of the percentile bootstrap over groups; equal seeds give equal limits.

    As many groups as there are get drawn with replacement, with all their units; the mean over the units so drawn is
    taken; the interval is what the middle ``level`` of such means spans.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.

    Raises:
        ValueError: There is no value, or level or resamples is out of range.
    """
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(f"got level {level} and {resamples} resamples, expected 0 < level < 1 and at least 1")
    sums, counts = sums_and_counts(values)
    mean = float(sums.sum() / counts.sum())
    if len(sums) == 1:
        return Interval(mean, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for part in parts(resamples, len(sums)):
        drawn = rng.integers(len(sums), size=(part.stop - part.start, len(sums)))
        means[part] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high))


def sums_and_counts(values: Grouped) -> tuple[Float64[np.ndarray, " groups"], Float64[np.ndarray, " groups"]]:
    """Sum and number of the values in each group; groups without any are left out.

    Raises:
        ValueError: There is no value.
    """
    groups = [list(units.values()) for units in values.values() if units]
    if not groups:
        raise ValueError("there is nothing to take a mean of: pass at least one value")
    return np.array([math.fsum(g) for g in groups]), np.array([float(len(g)) for g in groups])


def parts(rows: int, columns: int) -> Iterator[slice]:
    """Slices of rows small enough to be drawn at once."""
    step = max(1, _AT_ONCE // columns)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
