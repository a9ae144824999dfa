"""Values by frame that know what they replaced, so that long tables are undone without a copy of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Journal(Mapping[int, T], Generic[T]):
    """A mapping from frames to values that nobody changes."""

    def __init__(self) -> None:
        self._values: dict[int, T] = {}
        self._replaced: dict[int, T | None] = {}

    def __getitem__(self, t: int) -> T:
        return self._values[t]

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def put(self, t: int, value: T | None) -> None:
        """Set the value of a frame; None: it has none."""
        if self._replaced.setdefault(t, self._values.get(t)) is None and value is None:
            del self._replaced[t]  # come and gone since
        if value is None:
            self._values.pop(t, None)
        else:
            self._values[t] = value

    def drop(self, before: int | None = None) -> None:
        """Drop the frames before one, or all."""
        for t in [t for t in self._values if before is None or t < before]:
            self.put(t, None)

    def capture(self) -> Mapping[int, T | None]:
        """What :meth:`restore` takes: it fills with what is replaced from now on, until the next capture."""
        self._replaced = {}
        return self._replaced

    def restore(self, replaced: Mapping[int, T | None]) -> Mapping[int, T | None]:
        """Bring back what was replaced since a capture; returns what that replaces."""
        left = {t: self._values.get(t) for t in replaced}
        self._replaced = {}
        for t, value in list(replaced.items()):
            self.put(t, value)
        return left
