"""Intervals against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from masklet.evaluation.reports import bootstrap
from masklet.evaluation.reports.bootstrap import Interval, mean_interval, parts


def singles(values):
    return {str(i): {"x": float(v)} for i, v in enumerate(values)}


def test_equal_values_leave_nothing_open():
    assert mean_interval(singles([0.25] * 7)) == Interval(0.25, 0.25, 0.25)


def test_one_group_says_nothing_of_others():
    found = mean_interval({"a": {"1": 0.2, "2": 0.4}})
    assert found.mean == pytest.approx(0.3)
    assert math.isnan(found.low)
    assert math.isnan(found.half)


def test_two_groups_give_their_three_means():
    """Means of two draws are 0, 1/2 and 1 with 1/4, 1/2 and 1/4: the middle 40 % is 1/2 alone, the middle 90 % all."""
    values = singles([0, 1])
    middle, nearly_all = mean_interval(values, level=0.4), mean_interval(values, level=0.9)
    assert (middle.low, middle.high) == (0.5, 0.5)
    assert (nearly_all.low, nearly_all.high) == (0.0, 1.0)


def test_many_values_agree_with_the_normal_law():
    values = np.random.default_rng(3).normal(0.6, 0.2, 400)
    found = mean_interval(singles(values), resamples=20_000)
    assert found.mean == pytest.approx(values.mean())
    error = values.std() / math.sqrt(len(values))
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.05 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.05 * error)


def test_objects_of_a_video_are_drawn_together():
    """Ten equal objects a video are no more evidence than one; drawn alone they would seem to be."""
    values = np.random.default_rng(0).random(30)
    together = {str(i): {str(k): float(v) for k in range(10)} for i, v in enumerate(values)}
    alone = singles(np.repeat(values, 10))
    assert mean_interval(together).half == pytest.approx(mean_interval(singles(values)).half)
    assert mean_interval(alone).half < 0.5 * mean_interval(together).half


def test_the_mean_is_over_units_not_over_groups():
    values = {"a": {"1": 0.0}, "b": {"1": 1.0, "2": 1.0, "3": 1.0}}
    assert mean_interval(values).mean == 0.75
    means = {0.0, 0.75, 1.0}  # both a, one of each, both b
    found = mean_interval(values, level=0.9)
    assert {found.low, found.high} <= means


def test_equal_seeds_give_equal_limits_however_many_are_drawn_at_once(monkeypatch):
    values = singles(np.random.default_rng(1).random(20))
    found = mean_interval(values)
    assert mean_interval(values) == found
    assert mean_interval(values, seed=1) != found
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 60)
    assert mean_interval(values) == found


def test_parts_cover_all_rows_once(monkeypatch):
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 10)
    assert [(p.start, p.stop) for p in parts(7, 4)] == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert [(p.start, p.stop) for p in parts(2, 100)] == [(0, 1), (1, 2)]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="nothing to take a mean of"):
        mean_interval({"a": {}})
    with pytest.raises(ValueError, match="got level"):
        mean_interval(singles([0.5]), level=1.0)
