from __future__ import annotations

import pytest

from masklet.data_engine import rate_limits
from masklet.data_engine.problems import Rejected
from masklet.data_engine.rate_limits import RateLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate():
    clock = Clock()
    limit = RateLimit(2.0, 3, clock)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(Rejected) as refused:
        limit.take("a")
    assert (refused.value.kind, refused.value.retry_after) == ("rate", 0.5)
    limit.take("b")  # another is not held back
    clock.now = 0.5
    limit.take("a")
    with pytest.raises(Rejected):
        limit.take("a")


def test_who_is_refused_waits_no_longer_for_that():
    clock = Clock()
    limit = RateLimit(1.0, 1, clock)
    limit.take("a")
    for _ in range(5):
        with pytest.raises(Rejected):
            limit.take("a")
    clock.now = 1.0
    limit.take("a")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rate_limits, "_KEPT", 10)
    clock = Clock()
    limit = RateLimit(1.0, 2, clock)
    for key in range(100):
        limit.take(key)
    assert len(limit._buckets) <= 10
