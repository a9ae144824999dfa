"""Curves of a report: J&F against prompted frames, clicks and annotation time, placed on the pixels of a drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..scores import InteractiveScore
from .bootstrap import mean_interval
from .run_record import RunRecord
from .samples import round_count, round_values

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 40, 348, 14, 206
"""The drawing and the frame in it, in pixels."""


@dataclass(frozen=True)
class Point:
    """A value with its interval: in numbers, and where they are drawn."""

    said: str
    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """The points of one tracker; ``color`` counts from 0."""

    name: str
    color: int
    points: tuple[Point, ...]

    @property
    def line(self) -> str:
        """Path through the points."""
        return " ".join(f"{p.x:.1f},{p.y:.1f}" for p in self.points)

    @property
    def band(self) -> str:
        """Outline of the intervals."""
        there = [f"{p.x:.1f},{p.high:.1f}" for p in self.points]
        return " ".join(there + [f"{p.x:.1f},{p.low:.1f}" for p in reversed(self.points)])


@dataclass(frozen=True)
class Chart:
    """Curves with their axes; a tick is its place and its text."""

    title: str
    x_name: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    curves: tuple[Curve, ...]


def charts(records: Sequence[RunRecord]) -> tuple[Chart, ...]:
    """Three charts a mode of the interactive runs: against prompted frames, clicks so far, annotation time."""
    made = []
    for mode in dict.fromkeys(mode for r in records for mode, scores in r.interactive.items() if scores):
        runs = [(i, r.tracker, r.interactive[mode]) for i, r in enumerate(records) if r.interactive.get(mode)]
        for x_name, read in (("prompted frames", _frames), ("clicks", _clicks), ("annotation time, seconds", _seconds)):
            xs = [read(scores) for *_, scores in runs]
            if max(map(max, xs)) > 0:
                made.append(_chart(f"{mode}: J&F against {x_name}", x_name, runs, xs))
    return tuple(made)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``, about ``count`` steps apart."""
    rough = max(high - low, 1e-9) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    return [step * i for i in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]


def _chart(
    title: str, x_name: str, runs: list[tuple[int, str, tuple[InteractiveScore, ...]]], xs: list[list[float]]
) -> Chart:
    intervals = [
        [mean_interval(round_values(scores, n + 1)) for n in range(len(x))]
        for (*_, scores), x in zip(runs, xs, strict=True)
    ]
    limits = [v for each in intervals for i in each for v in (i.mean, i.low, i.high) if not math.isnan(v)]
    x_at, y_at = ticks(0.0, max(map(max, xs))), ticks(100 * min(limits), 100 * max(limits))

    def place_x(x: float) -> float:
        return LEFT + (RIGHT - LEFT) * x / x_at[-1]

    def place_y(y: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (y - y_at[0]) / max(y_at[-1] - y_at[0], 1e-9)

    curves = []
    for (color, name, _), x, means in zip(runs, xs, intervals, strict=True):
        points = []
        for at, i in zip(x, means, strict=True):
            low, high = (i.mean if math.isnan(v) else v for v in (i.low, i.high))
            said = f"{name}: {100 * i.mean:.1f} ({100 * low:.1f} to {100 * high:.1f}) at {at:.3g} {x_name}"
            points.append(Point(said, place_x(at), *(place_y(100 * v) for v in (i.mean, low, high))))
        curves.append(Curve(name, color, tuple(points)))
    return Chart(
        title,
        x_name,
        tuple((place_x(x), f"{x:g}") for x in x_at),
        tuple((place_y(y), f"{y:g}") for y in y_at),
        tuple(curves),
    )


def _frames(scores: Sequence[InteractiveScore]) -> list[float]:
    return [float(n) for n in range(1, round_count(scores) + 1)]


def _clicks(scores: Sequence[InteractiveScore]) -> list[float]:
    given = [[len(each.score.clicks) for each in s.rounds] for s in scores]
    return np.cumsum(np.mean(given, axis=0)).tolist()


def _seconds(scores: Sequence[InteractiveScore]) -> list[float]:
    return np.mean([[each.seconds for each in s.rounds] for s in scores], axis=0).tolist()
