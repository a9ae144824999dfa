"""Turns: threads that share a session act one after the other, in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import wraps
from threading import Lock, get_ident
from typing import Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

P = ParamSpec("P")
R = TypeVar("R")


class Turns:
    """A lock that a thread may take again while it has it, and that passes to the one who waits longest.

    Python's own locks let a thread that gives one back and takes it again get ahead of all that wait: a loop over the
    frames of a video would keep out a click.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[tuple[int, Lock]] = deque()
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me, gate = get_ident(), Lock()
        with self._lock:
            if self._owner in (None, me):
                self._owner, self._depth = me, self._depth + 1
                return
            gate.acquire()
            self._waiting.append((me, gate))
        try:
            gate.acquire()
        except BaseException:  # an interrupt from the keyboard
            self._leave(me, gate)
            raise

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._pass_on()

    def _leave(self, me: int, gate: Lock) -> None:
        with self._lock:
            if (me, gate) in self._waiting:
                self._waiting.remove((me, gate))
            else:  # the turn had just come
                self._depth = 0
                self._pass_on()

    def _pass_on(self) -> None:
        self._owner = None
        if self._waiting:
            self._owner, gate = self._waiting.popleft()
            self._depth = 1
            gate.release()


@runtime_checkable
class TakesTurns(Protocol):
    """Something that threads share."""

    _turns: Turns


S = TypeVar("S", bound=TakesTurns)


def in_turn(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let a method wait until no other thread is in one of the same object."""

    @wraps(method)
    def waiting(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._turns:
            return method(self, *args, **kwargs)

    return waiting
