from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklet.data.streams import IndexStream

COUNTS = st.integers(1, 60)
WORLDS = st.integers(1, 8)


def epoch_of(count, world, epoch=0, **options):
    return [
        [step.index for step in IndexStream(count, 3, rank, world, **options).epoch(epoch)] for rank in range(world)
    ]


@given(COUNTS, WORLDS)
def test_every_record_comes_once_an_epoch(count, world):
    shares = epoch_of(count, world, even=False)
    assert sorted(index for share in shares for index in share) == list(range(count))
    assert [len(share) for share in shares] == [
        IndexStream(count, 3, r, world, even=False).length for r in range(world)
    ]


@given(COUNTS, WORLDS)
def test_even_ranks_stay_in_step(count, world):
    shares = epoch_of(count, world)
    assert {len(share) for share in shares} == {-(-count // world)}
    assert {index for share in shares for index in share} == set(range(count))


@given(COUNTS, WORLDS, st.integers(0, 3), st.data())
def test_a_stream_goes_on_where_it_was_left(count, world, epoch, data):
    stream = IndexStream(count, 5, data.draw(st.integers(0, world - 1)), world)
    steps = list(islice(stream.endless(), 4 * stream.length))
    assert [step.epoch for step in steps] == [epoch for epoch in range(4) for _ in range(stream.length)]
    left = steps[data.draw(st.integers(0, len(steps) - 2))]
    after = steps.index(left) + 1
    rest = islice(stream.endless(left.epoch, left.position + 1), len(steps) - after)
    assert list(rest) == steps[after:]


def test_the_order_depends_on_seed_and_epoch():
    first = [step.index for step in IndexStream(50, 1).epoch(0)]
    assert first == [step.index for step in IndexStream(50, 1).epoch(0)]
    assert first != [step.index for step in IndexStream(50, 1).epoch(1)]
    assert first != [step.index for step in IndexStream(50, 2).epoch(0)]
    assert [step.index for step in IndexStream(5, shuffle=False).epoch()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "fields", [{"count": 0}, {"count": 1, "seed": -1}, {"count": 1, "rank": 1}, {"count": 1, "rank": -1}]
)
def test_mistakes(fields):
    with pytest.raises(ValueError, match="expected"):
        IndexStream(**fields)


def test_more_mistakes():
    with pytest.raises(ValueError, match="position"):
        next(IndexStream(3).epoch(0, -1))
    with pytest.raises(ValueError, match="even=True"):
        next(IndexStream(1, rank=1, world=2, even=False).endless())
