"""Work for the processes of an evaluation; a module of its own because they import it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from masklet.evaluation.runs import Do, Unit


@dataclass(frozen=True)
class Squares:
    """Squares the number of a unit; negative ones have a fault, unit `deadly` ends its process.

    It does so the first `deaths` times.
    """

    seen: Path
    deadly: int | None = None
    deaths: int = 1000

    def __call__(self) -> Do:
        return self.do

    def do(self, unit: Unit) -> dict[str, float]:
        with (self.seen / f"{unit.index}").open("a") as file:
            file.write("x")
        if unit.index == self.deadly and len((self.seen / f"{unit.index}").read_text()) <= self.deaths:
            os._exit(1)
        if unit.name == "bad":
            raise ValueError(f"{unit.name} {unit.index} has no masks")
        return {"square": unit.index**2}


@dataclass(frozen=True)
class Unprepared:
    """Cannot begin."""

    def __call__(self) -> Do:
        raise FileNotFoundError("nothing here")
