"""Token buckets: so many at once, so many a second in the long run."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from threading import Lock

from .problems import Rejected

_KEPT = 10_000  # buckets; full ones are forgotten beyond that


class RateLimit:
    """How often each of many may do something. Threads may share it.

    Args:
        per_second: In the long run.
        burst: At once.
        clock: Seconds; of tests.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, burst, clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}  # tokens, and when
        self._lock = Lock()

    def take(self, key: Hashable, sentence: str = "too many requests: wait a little") -> None:
        """Count one.

        Raises:
            Rejected: Too many.
        """
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.get(key, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._rate)
            if tokens < 1:
                raise Rejected("rate", sentence, retry_after=(1 - tokens) / self._rate)
            self._buckets[key] = tokens - 1, now
            if len(self._buckets) > _KEPT:
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop the buckets that are full again, and if that does not help the oldest."""
        full = self._burst / self._rate
        self._buckets = {key: value for key, value in self._buckets.items() if now - value[1] < full}
        while len(self._buckets) > _KEPT:
            del self._buckets[next(iter(self._buckets))]
