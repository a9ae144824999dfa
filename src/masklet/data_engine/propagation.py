"""A propagation that outlives its process: what is noted of it, and what is left to do of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..inference.session import VideoSession
from ..tracker import Direction
from .bodies import optional

Leg = tuple[int, int | None, Direction]
"""First frame, last one, and direction of a piece of a propagation."""


def new_run(session: VideoSession, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What is noted of a propagation, in JSON; ``frame`` is the last one that was done.

    Raises:
        ValueError: It is not possible; and so IndexError.
    """
    start, stop, direction = optional(body, "start"), optional(body, "stop"), body.get("direction", "forward")
    session.propagate(start=start, stop=stop, direction=direction)  # only checks: nothing is tracked until iterated
    if start is None:
        start = min(t for track in session.tracks.values() for t in (*track.bank.prompted, *track.pending))
    return {"name": name, "start": start, "stop": stop, "direction": direction, "frame": None}


def left_of(run: Mapping[str, Any], length: int) -> list[Leg]:
    """What is left to do of a propagation of a video with so many frames."""
    start, stop, direction, frame = run["start"], run["stop"], run["direction"], run["frame"]
    if frame is None:
        return [(start, stop, direction)]
    if direction == "backward":
        return [(frame - 1, stop, "backward")] if frame > (stop or 0) else []
    end = length - 1 if stop is None else stop
    legs: list[Leg] = [(frame + 1, stop, "forward")] if start <= frame < end else []
    if direction == "both" and min(frame, start) > 0:
        legs.append((min(frame, start) - 1, None, "backward"))
    return legs


def frames_of(legs: list[Leg], length: int) -> int:
    """How many frames they are."""
    count = 0
    for start, stop, direction in legs:
        end = length - 1 if stop is None else stop
        count += 0 if direction == "backward" else end - start + 1
        count += start - (stop or 0) + 1 if direction == "backward" else start if direction == "both" else 0
    return count
