"""Values by frame that know what they replaced, so that long tables are undone and saved without a copy of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from .spool import Kept, Packable, Spool

T = TypeVar("T", bound=Packable)


class Journal(Mapping[int, T], Generic[T]):
    """A mapping from frames to values that nobody changes.

    Args:
        spool: Where the values lie.

    Attributes:
        kept: The values by frame, as they lie there.
        news: Frames whose value has changed since it was emptied last; None: nobody asks.
        changes: Number of changes so far.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.kept: dict[int, Kept[T]] = {}
        self.news: set[int] | None = None
        self.changes = 0
        self._replaced: dict[int, Kept[T] | None] = {}

    def __getitem__(self, t: int) -> T:
        return self.kept[t].value

    def __contains__(self, t: object) -> bool:
        return t in self.kept

    def __iter__(self) -> Iterator[int]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def put(self, t: int, value: T | Kept[T] | None) -> None:
        """Set the value of a frame; None: it has none."""
        kept = value if value is None or isinstance(value, Kept) else self._spool.keep(value)
        if self._replaced.setdefault(t, self.kept.get(t)) is None and kept is None:
            del self._replaced[t]  # come and gone since
        if kept is None:
            self.kept.pop(t, None)
        else:
            self.kept[t] = kept
        self.changes += 1
        if self.news is not None:
            self.news.add(t)

    def drop(self, before: int | None = None) -> None:
        """Drop the frames before one, or all."""
        for t in [t for t in self.kept if before is None or t < before]:
            self.put(t, None)

    def capture(self) -> Mapping[int, Kept[T] | None]:
        """What :meth:`restore` takes: it fills with what is replaced from now on, until the next capture."""
        self._replaced = {}
        return self._replaced

    def restore(self, replaced: Mapping[int, Kept[T] | None]) -> Mapping[int, Kept[T] | None]:
        """Bring back what was replaced since a capture; returns what that replaces."""
        left = {t: self.kept.get(t) for t in replaced}
        self._replaced = {}
        for t, value in list(replaced.items()):
            self.put(t, value)
        return left
