"""What a client of the engine's server is told, and how long it waits before it tries again."""

from __future__ import annotations

PASSING = ("busy", "rate", "failed")
"""Kinds of refusal after which the same may well be done."""
_PAUSES = (0.1, 0.2, 0.5, 1.0)  # seconds between tries, the last one again and again


class EngineError(RuntimeError):
    """What the server refused.

    Attributes:
        kind: ``not_found``, ``refused``, ``lease_lost``, ``forbidden``, ``busy``, ``invalid``, ``too_large``,
            ``unauthenticated`` or ``rate``.
    """

    def __init__(self, sentence: str, kind: str) -> None:
        """Take the server's sentence."""
        super().__init__(sentence)
        self.kind = kind


class ServerGone(ConnectionError):
    """The server has not answered for as long as a client waits."""


def pause(tries: int) -> float:
    """Seconds before the next try, after so many."""
    return _PAUSES[min(tries, len(_PAUSES) - 1)]
