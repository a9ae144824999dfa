from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklet.data.order import record_of


@given(st.integers(1, 30), st.integers(0, 5), st.integers(0, 3))
def test_every_record_comes_once_an_epoch(count: int, seed: int, epoch: int):
    drawn = [record_of(epoch * count + i, count, seed) for i in range(count)]
    assert sorted(drawn) == list(range(count))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(record_of(e * 50 + i, 50, seed) for i in range(50)) for e in range(3) for seed in range(3)}
    assert len(orders) == 9


def test_processes_that_share_numbers_share_records():
    dealt = [[record_of(n, 12, 1) for n in range(rank, 12, 3)] for rank in range(3)]
    assert sorted(one for part in dealt for one in part) == list(range(12))


@pytest.mark.parametrize(("number", "count"), [(0, 0), (-1, 3)])
def test_impossible_draws(number: int, count: int):
    with pytest.raises(ValueError, match="at least one record"):
        record_of(number, count)
