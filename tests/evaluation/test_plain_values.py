"""Dataclasses come back from plain values as they were, and what does not fit is named by its place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from made_runs import made_run, scored
from masklet.evaluation.images import MaskScore
from masklet.evaluation.plain_values import from_plain, to_plain
from masklet.evaluation.scores import Click, InteractiveScore, ObjectScore, Round, SequenceScore


@dataclass(frozen=True)
class Everything:
    whole: int
    share: float
    sure: bool
    note: str | None
    table: Mapping[int, tuple[tuple[float, ...], ...]]
    loose: Any
    pairs: tuple[Click, ...] = ()
    names: Mapping[str, Click] = field(default_factory=dict)


EXAMPLE = Everything(
    3,
    0.1 + 0.2,
    True,
    None,
    {2: ((0.5,), ()), 10: ()},
    {"k": [1, "x"]},
    (Click(1, 2.0, 3.5, 0),),
    {"n": Click(0, 0.0, 1.0, 1)},
)


def there_and_back(kind, value):
    return from_plain(kind, json.loads(json.dumps(to_plain(value), allow_nan=False)))


def test_every_kind_of_field_comes_back():
    assert there_and_back(Everything, EXAMPLE) == EXAMPLE


@pytest.mark.parametrize(
    "score",
    [
        SequenceScore("a|b\u2028", (scored(1, 1 / 3, 0.0), scored(300, 1.0))),
        InteractiveScore("v", 2, (Round(None, scored(2, 0.5, clicks=(Click(0, 1.5, 2.0, 1),)), 31.5),)),
        MaskScore("i", 0, {1: 0.5, 5: 1.0}, 0.75, None),
    ],
)
def test_single_scores_come_back(score):
    assert there_and_back(type(score), score) == score


def test_numpy_scalars_are_numbers():
    assert to_plain((np.float32(0.5), np.int64(3), np.bool_(True))) == [0.5, 3, True]


def test_nan_comes_back_as_nan():
    back = there_and_back(ObjectScore, ObjectScore(1, (1, 2), (math.nan, 0.5), (0.5, 0.5)))
    assert math.isnan(back.j_frames[0])
    assert back.j_frames[1] == 0.5


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="infinity"):
        to_plain({"speed": math.inf})
    with pytest.raises(ValueError, match="expected numbers"):
        to_plain({"path": object()})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"whole": "3"}, "Everything.whole: expected int, got '3'"),
        ({"whole": True}, "Everything.whole: expected int, got True"),
        ({"share": "x"}, "Everything.share: expected a number, got 'x'"),
        ({"note": 5}, "Everything.note: expected str, got 5"),
        ({"table": {"two": []}}, "Everything.table: expected keys of type int, got 'two'"),
        ({"table": {"2": [[0.5, "x"]]}}, r"Everything.table\['2'\]\[0\]\[1\]: expected a number"),
        ({"pairs": {}}, "Everything.pairs: expected a list, got {}"),
        ({"pairs": [{"frame": 1, "x": 0.0}]}, r"Everything.pairs\[0\] lacks y, label, expected the fields of Click"),
        ({"extra": 1}, "has unknown 'extra'"),
    ],
)
def test_a_misfit_is_named_by_its_place(change, said):
    with pytest.raises(ValueError, match=said):
        from_plain(Everything, to_plain(EXAMPLE) | change)


def test_fields_with_defaults_may_be_missing():
    plain = to_plain(EXAMPLE)
    del plain["pairs"], plain["names"]
    back = from_plain(Everything, plain)
    assert (back.pairs, back.names) == ((), {})


def test_a_type_without_a_plain_form_is_a_programming_error():
    @dataclass(frozen=True)
    class Odd:
        when: complex

    with pytest.raises(TypeError, match="no plain form"):
        from_plain(Odd, {"when": 1})


def test_the_made_run_has_settings_that_stay_as_they_are():
    assert to_plain(made_run())["settings"] == {"image_size": 384, "tags": ["x", None, 1.5]}
