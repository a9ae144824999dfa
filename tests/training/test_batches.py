from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from toy_source import STAGE, TOY, Discs, toy

from masklet.training.batches import Batch, batches, kind_of, make_batch, place_generators
from masklet.training.optimisation import Optimisation


def same(one: Batch, other: Batch) -> bool:
    return (
        one.kind == other.kind
        and one.names == other.names
        and one.numbers == other.numbers
        and all(np.array_equal(one.arrays[k], other.arrays[k]) for k in one.arrays)
    )


def test_a_batch_depends_on_its_number_alone():
    stream = batches(TOY, STAGE, 0)
    made = list(islice(stream, 6))
    assert {b.kind for b in made} == {"image", "clip"}
    later = list(islice(batches(TOY, STAGE, 4), 2))
    assert same(made[4], later[0])
    assert same(made[5], later[1])
    assert not same(made[0], next(batches(toy(seed=1), STAGE, 0)))


def test_other_processes_make_the_same_batches():
    here = list(islice(batches(TOY, STAGE, 3), 5))
    stream = batches(TOY, STAGE, 3, workers=2)
    there = list(islice(stream, 5))
    assert all(same(a, b) for a, b in zip(here, there, strict=True))


def test_two_processes_share_a_batch():
    for step in range(4):
        whole = make_batch(TOY, STAGE, step)
        parts = [make_batch(TOY, STAGE, step, rank, 2) for rank in range(2)]
        assert whole.names == parts[0].names + parts[1].names
        assert (parts[0].numbers, parts[1].numbers) == ((0,), (1,))
        for key, value in whole.arrays.items():
            assert np.array_equal(value, np.concatenate([p.arrays[key] for p in parts]))
    with pytest.raises(ValueError, match=r"2 \w+s a step cannot be dealt out to 3 processes"):
        make_batch(TOY, STAGE, 0, 0, 3)


def test_sources_are_drawn_by_weight():
    sources = (Discs("image", 1.0, 1), Discs("image", 3.0, 500), Discs("clip", 0.0))
    stage = replace(STAGE, clips=0.0, images=400)
    batch = make_batch(toy(sources=sources, stages=(stage,)), stage, 0)
    assert np.mean([name == "image 0" for name in batch.names]) == pytest.approx(0.25, abs=0.08)


def test_sources_without_weights_are_drawn_by_their_size():
    sources = (Discs("image", None, 1), Discs("image", None, 3), Discs("clip"))
    stage = replace(STAGE, clips=0.0, images=400)
    batch = make_batch(toy(sources=sources, stages=(stage,)), stage, 0)
    first = 1 / 4 + 3 / 4 / 3  # the disc of the first source is one of the three of the second
    assert np.mean([name == "image 0" for name in batch.names]) == pytest.approx(first, abs=0.08)


def test_batches_of_one_step_are_of_one_kind():
    recipe = toy(optimisation=Optimisation(accumulate=4))
    kinds = [[make_batch(recipe, STAGE, 4 * step + i).kind for i in range(4)] for step in range(6)]
    assert all(len(set(each)) == 1 for each in kinds)
    assert [each[0] for each in kinds] == [kind_of(recipe, STAGE, step) for step in range(6)]


def test_a_sample_has_its_own_clicks():
    one, two = place_generators(TOY, 5, (0, 1))
    again = place_generators(TOY, 5, (1,))[0]
    first = two.random()
    assert first == again.random()
    assert one.random() != first
