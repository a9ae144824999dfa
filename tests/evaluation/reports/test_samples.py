"""Units and groups of each protocol."""

from __future__ import annotations

import pytest

from made_runs import made_run, made_vos, scored
from masklet.evaluation.images import ImageScore, MaskScore
from masklet.evaluation.reports.samples import (
    mask_values,
    object_values,
    quantities,
    round_count,
    round_values,
    sequence_values,
)
from masklet.evaluation.scores import InteractiveScore, Round, SequenceScore, VosScore


def test_objects_stand_in_their_video():
    score = made_vos([0.2], [0.6, 0.8])
    assert object_values(score, "J") == {"a": {"object 1": 0.2}, "b": {"object 1": 0.6, "object 2": 0.8}}
    assert object_values(score)["b"]["object 2"] == pytest.approx(0.85)
    assert object_values(score, "F")["a"]["object 1"] == pytest.approx(0.3)
    assert sequence_values(score, "J")["b"]["all objects"] == pytest.approx(0.7)


def test_a_round_and_the_mean_over_rounds():
    scores = made_run().interactive["offline"]
    assert round_count(scores) == 2
    assert round_values(scores, 1, "J")["a"]["object 1"] == pytest.approx(0.2)
    assert round_values(scores, 2, "J")["a"]["object 1"] == pytest.approx(0.4)
    assert round_values(scores, None, "J")["b"]["object 1"] == pytest.approx(0.5)


def test_masks_stand_in_their_image():
    values = mask_values(made_run().images["animals"])
    assert list(values) == ["1 click", "3 clicks", "best of three", "box"]
    assert values["3 clicks"] == {"cat.jpg": {"0": 0.75, "1": 0.5}, "dog.jpg": {"0": 0.75}}
    assert values["box"] == {"cat.jpg": {"0": 0.8}, "dog.jpg": {"0": 0.9}}


def test_main_quantities_by_name():
    assert list(quantities(made_run())) == [
        "VOS from mask, J&F",
        "VOS from 3 clicks, J&F",
        "interactive offline, mean J&F",
        "animals from 1 click, mIoU",
        "animals from 3 clicks, mIoU",
        "animals from best of three, mIoU",
        "animals from box, mIoU",
    ]


def test_nothing_is_overwritten_where_names_repeat():
    twice = SequenceScore("a", (scored(1, 0.5),))
    with pytest.raises(ValueError, match="object 1 of a is scored twice"):
        object_values(VosScore((twice, twice)))
    mask = MaskScore("i", 0, {1: 0.5}, 0.5, None)
    with pytest.raises(ValueError, match="0 of i is scored twice"):
        mask_values(ImageScore((mask, mask)))


def test_rounds_must_be_equally_many():
    one = Round(0, scored(1, 0.5), 1.0)
    with pytest.raises(ValueError, match=r"\[1, 2\] rounds"):
        round_values([InteractiveScore("a", 1, (one,)), InteractiveScore("b", 1, (one, one))])
