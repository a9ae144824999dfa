"""Paired differences, exact p-values of tiny cases, and runs that cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest

from made_runs import made_run, made_vos
from masklet.evaluation.reports.comparison import compare, compare_runs, sign_flip_p


@pytest.mark.parametrize(
    ("sums", "p"),
    [
        ([1.0], 1.0),
        ([1.0, 1.0], 0.5),
        ([0.1] * 5, 2 / 32),
        ([0.3, 0.2, 0.1], 2 / 8),
        ([0.3, 0.2, -0.1], 4 / 8),  # 0.4 or more in size: ++-, +++ and their mirrors
        ([0.5, 0.0], 1.0),
        ([0.0, 0.0], 1.0),
        ([0.1, -0.1, 0.2, -0.2], 1.0),
    ],
)
def test_exact_p_values(sums, p):
    assert sign_flip_p(np.array(sums)) == p


def test_drawn_p_values_agree_with_exact_ones(monkeypatch):
    sums = np.random.default_rng(4).normal(0.3, 1, 12)
    exact = sign_flip_p(sums)
    assert 0.05 < exact < 0.95
    monkeypatch.setattr("masklet.evaluation.reports.comparison._EXACT", 0)
    assert sign_flip_p(sums) == pytest.approx(exact, abs=0.015)
    assert sign_flip_p(sums) == sign_flip_p(sums)


def test_a_drawn_p_value_is_never_zero():
    assert sign_flip_p(np.ones(100)) == pytest.approx(1 / 20_001)


def test_differences_are_paired():
    first = {"a": {"1": 0.5}, "b": {"1": 0.9, "2": 0.1}, "c": {"1": 0.4}}
    second = {"b": {"2": 0.2, "1": 0.6}, "a": {"1": 0.4}, "c": {"1": 0.4}}
    found = compare("J", first, second)
    assert (found.first, found.second) == (pytest.approx(1.9 / 4), pytest.approx(1.6 / 4))
    assert found.difference.mean == pytest.approx(0.3 / 4)
    assert found.by_group == pytest.approx({"a": 0.1, "b": 0.1, "c": 0.0})
    assert found.p_value == 0.5  # of the signs of .1, .2 and 0, half give .3


def test_a_constant_gain_is_certain_though_videos_differ():
    first, second = ({str(i): {"x": i / 10 + gain} for i in range(9)} for gain in (0.02, 0.0))
    found = compare("J", first, second)
    assert found.difference.low == pytest.approx(0.02)
    assert found.difference.high == pytest.approx(0.02)
    assert found.p_value == 2 / 512


def test_what_moved_most_comes_first_whichever_way():
    first = {"a": {"x": 0.5}, "b": {"x": 0.1}, "c": {"x": 0.7}}
    found = compare("J", first, {"a": {"x": 0.4}, "b": {"x": 0.6}, "c": {"x": 0.7}})
    assert [name for name, _ in found.moved(2)] == ["b", "a"]
    assert found.moved(1)[0][1] == pytest.approx(-0.5)


def test_runs_are_compared_in_all_they_share():
    first, second = made_run(shift=0.1), made_run("before", images={})
    found = {c.quantity: c for c in compare_runs(first, second)}
    assert list(found) == ["VOS from mask, J&F", "VOS from 3 clicks, J&F", "interactive offline, mean J&F"]
    assert found["VOS from mask, J&F"].difference.mean == pytest.approx(0.1)
    assert found["VOS from 3 clicks, J&F"].difference.mean == 0


def test_different_units_are_refused_and_all_named():
    first = made_run(vos={"mask": made_vos([0.5], [0.5, 0.6]), "box": made_vos([0.5])})
    second = made_run(vos={"mask": made_vos([0.5], [0.5], [0.1]), "box": made_vos([0.5, 0.2])})
    with pytest.raises(ValueError, match="not scored on the same units") as refused:
        compare_runs(first, second)
    said = str(refused.value)
    assert "VOS from mask, J&F: only the first has 1: b object 2, only the second has 1: c object 1" in said
    assert "VOS from box, J&F: only the second has 1: a object 2" in said


def test_long_lists_of_units_are_cut():
    many = {f"v{i:02d}": {"x": 0.5} for i in range(15)}
    with pytest.raises(ValueError, match=r"has 14: v01 x, .*v10 x and 4 more"):
        compare("J", many, {"v00": {"x": 0.5}})


def test_runs_without_a_common_protocol():
    first = made_run(vos={}, images={})
    second = made_run(interactive={}, images={})
    with pytest.raises(ValueError, match="no protocol in common: got interactive offline, mean J&F and VOS from mask"):
        compare_runs(first, second)
