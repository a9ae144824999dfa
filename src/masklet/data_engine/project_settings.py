"""How a project works: its stages, who does them, and how long a task is kept for somebody who is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .errors import Refused
from .schema import STAGES, Project, Stage


@dataclass(frozen=True)
class ProjectSettings:
    """What ``Project.settings`` holds.

    Attributes:
        stages: What is done with a video, in order: some of select, track, verify.
        annotators: People who track each video, for agreement; each has a copy of the session.
        lease_seconds: After so long without a sign of life a task is free for others.
        own_review: Whether who tracked an object may verify it.
        simulated: Seconds of work are what clients say, not at most what passed on the server's clock.

    Raises:
        Refused: A value is none of these.
    """

    stages: tuple[Stage, ...] = STAGES
    annotators: int = 1
    lease_seconds: int | float = 60
    own_review: bool = False
    simulated: bool = False

    def __post_init__(self) -> None:
        known = [stage for stage in STAGES if stage in self.stages]
        if not self.stages or list(self.stages) != known:
            raise Refused(f"stages are {list(self.stages)}, expected some of {list(STAGES)} in this order")
        if not 1 <= self.annotators <= 20:
            raise Refused(f"annotators is {self.annotators}, expected a number from 1 to 20")
        if self.annotators > 1 and not {"select", "track"} <= {*self.stages}:
            raise Refused("several annotators need the stages select and track: they must mean the same objects")
        if not 1 <= self.lease_seconds <= 86_400:
            raise Refused(f"lease_seconds is {self.lease_seconds}, expected 1 to 86400")

    @staticmethod
    def of(project: Project) -> ProjectSettings:
        """Those of a project."""
        return ProjectSettings.read(project.settings)

    @staticmethod
    def read(values: Mapping[str, Any]) -> ProjectSettings:
        """From JSON; what is not said is as by default.

        Raises:
            Refused: A name is unknown or a value wrong.
        """
        for name, value in values.items():
            if name not in _KINDS:
                raise Refused(f"a project has no setting {name!r:.50}, but {', '.join(_KINDS)}")
            kinds, said = _KINDS[name]
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise Refused(f"{name} is {value!r:.50}, expected {said}")
        stages = tuple(values.get("stages", STAGES))
        if not {*map(str, stages)} <= {*STAGES}:
            raise Refused(f"stages are {list(stages)!r:.100}, expected some of {list(STAGES)} in this order")
        return ProjectSettings(**{**values, "stages": stages})

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "stages": list(self.stages)}


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "stages": ((list, tuple), "a list"),
    "annotators": ((int,), "a whole number"),
    "lease_seconds": ((int, float), "a number"),
    "own_review": ((bool,), "true or false"),
    "simulated": ((bool,), "true or false"),
}
