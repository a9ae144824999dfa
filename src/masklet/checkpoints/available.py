"""What can be loaded: every named model, whether its weights are on this machine, and its published scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .hub import cached
from .registry import REGISTRY, Entry


@dataclass(frozen=True)
class Row:
    """A named model on this machine; ``path`` is None until its weights are downloaded."""

    entry: Entry
    path: Path | None

    @property
    def state(self) -> str:
        """``shipped``, ``cached``, ``to download``, or ``missing`` from a broken installation."""
        if self.entry.shipped:
            return "missing" if self.path is None else "shipped"
        return "to download" if self.path is None else "cached"


def available() -> list[Row]:
    """Every named model, the shipped ones first. Asks no network and imports no torch."""
    return [Row(entry, cached(entry)) for entry in REGISTRY.values()]
