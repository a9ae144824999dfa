"""Two runs on the same videos: paired differences, whether chance explains them, and the videos that moved most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .bootstrap import Interval, mean_interval, parts, sums_and_counts
from .run_record import RunRecord
from .samples import Grouped, quantities

_EXACT = 14  # groups up to which all signs are tried
_DRAWS = 20_000
_NAMED = 10  # units that an error names


@dataclass(frozen=True)
class Comparison:
    """How one quantity of two runs differs, unit by unit.

    Attributes:
        quantity: Its name.
        first: Mean over the units in the first run.
        second: The same in the second run.
        difference: Mean of first minus second, with the interval of the paired bootstrap over videos.
        p_value: How often a mean at least so far from zero arises where the runs are alike: sign-flip test over videos.
        by_group: Mean difference inside each video or image.
    """

    quantity: str
    first: float
    second: float
    difference: Interval
    p_value: float
    by_group: Mapping[str, float]

    def moved(self, count: int) -> list[tuple[str, float]]:
        """The videos or images that differ most, and by how much; the greatest change first."""
        return sorted(self.by_group.items(), key=lambda item: -abs(item[1]))[:count]


def compare_runs(first: RunRecord, second: RunRecord) -> tuple[Comparison, ...]:
    """Compare every main quantity that both runs have.

    Raises:
        ValueError: They have none in common, or were scored on different units; all of these are named.
    """
    mine, other = quantities(first), quantities(second)
    shared = [name for name in mine if name in other]
    if not shared:
        raise ValueError(
            f"the runs have no protocol in common: got {', '.join(mine) or 'nothing'} and "
            f"{', '.join(other) or 'nothing'}"
        )
    faults = [f"{name}: {fault}" for name in shared if (fault := _unlike(mine[name], other[name]))]
    if faults:
        raise ValueError("the runs were not scored on the same units; " + "; ".join(faults))
    return tuple(compare(name, mine[name], other[name]) for name in shared)


def compare(quantity: str, first: Grouped, second: Grouped, *, seed: int = 0) -> Comparison:
    """Compare two runs in one quantity.

    Raises:
        ValueError: They do not have the same units, or none.
    """
    fault = _unlike(first, second)
    if fault:
        raise ValueError(f"{quantity} was not scored on the same units; {fault}")
    differences = {g: {u: value - second[g][u] for u, value in units.items()} for g, units in first.items() if units}
    return Comparison(
        quantity,
        _mean(first),
        _mean(second),
        mean_interval(differences, seed=seed),
        sign_flip_p(sums_and_counts(differences)[0], seed=seed),
        {g: float(np.mean(list(units.values()))) for g, units in differences.items()},
    )


def sign_flip_p(sums: Float64[np.ndarray, " groups"], *, seed: int = 0) -> float:
    """Two-sided p-value of a sum of differences, were each group's sign a matter of chance.

    Up to 14 groups all signs are tried and the value is exact; beyond, 20,000 are drawn, and the observed ones count
    as one more draw, so that the value is never 0.
    Source: Fisher, The Design of Experiments, section 21; Phipson and Smyth 2010 for the draw added.
    """
    count = len(sums)
    reached = abs(float(sums.sum())) - 1e-12 * max(1.0, float(np.abs(sums).sum()))  # ties differ by rounding only
    if count <= _EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        return float(np.mean(np.abs(signs @ sums) >= reached))
    rng = np.random.default_rng(seed)
    extreme = 1
    for part in parts(_DRAWS, count):
        signs = rng.integers(0, 2, size=(part.stop - part.start, count), dtype=np.int8) * 2.0 - 1.0
        extreme += int(np.count_nonzero(np.abs(signs @ sums) >= reached))
    return extreme / (_DRAWS + 1)


def _mean(values: Grouped) -> float:
    sums, counts = sums_and_counts(values)
    return float(sums.sum() / counts.sum())


def _unlike(first: Grouped, second: Grouped) -> str:
    """What only one of two runs has, in words; empty where they have the same."""
    mine, other = ({(g, u) for g, units in run.items() for u in units} for run in (first, second))
    said = [
        f"only the {which} has {len(only)}: {_listed(only)}"
        for which, only in (("first", mine - other), ("second", other - mine))
        if only
    ]
    return ", ".join(said)


def _listed(units: set[tuple[str, str]]) -> str:
    names = [f"{group} {unit}" for group, unit in sorted(units)]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
