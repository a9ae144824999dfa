"""A child process that does one thing within limits and says in lines of JSON how far it is.

The first line of its standard input is what it is to do; when that input ends its parent is gone, and so is it. Each
line of its standard output is an object. ``{"error": sentence}`` ends it, ``{"done": ...}`` is what came of it.
It has a low priority: whoever clicks comes first.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO, Any

log = logging.getLogger(__name__)

_LONGEST_LINE = 2**28
_TAIL = 2000  # characters of the standard error that are logged
_WAIT = 1.0  # seconds of silence after which the parent looks whether it still wants to know
_NICE = 10
OnLine = Callable[[dict[str, Any]], object]


class ChildError(ValueError):
    """The child gave up, was stopped or died; the message says why, for the user."""


class ChildDied(ChildError):
    """The child died without a word of its own: it took too much, or broke down."""


@dataclass(frozen=True)
class ChildLimits:
    """What a child may take; beyond it is killed.

    Attributes:
        seconds: Time by the clock.
        cpu_seconds: Time of processors; None: no bound.
        memory: Bytes of address space; None: no bound.
        file_size: Bytes of any file that it writes; None: no bound.
    """

    seconds: float
    cpu_seconds: int | None = None
    memory: int | None = None
    file_size: int | None = None

    def apply(self) -> None:
        """Bind this process, for good."""
        for kind, most in (
            (resource.RLIMIT_CPU, self.cpu_seconds),
            (resource.RLIMIT_AS, self.memory),
            (resource.RLIMIT_FSIZE, self.file_size),
            (resource.RLIMIT_CORE, 0),
        ):
            if most is not None:
                hard = resource.getrlimit(kind)[1]
                most = most if hard == resource.RLIM_INFINITY else min(most, hard)
                resource.setrlimit(kind, (most, most))


def run_child(
    module: str,
    request: dict[str, Any],
    limits: ChildLimits,
    on_line: OnLine,
    pass_fds: Sequence[int] = (),
    on_wait: Callable[[], object] = lambda: None,
) -> Any:
    """Run ``python -m module`` with a request on its standard input; returns what it has ``done``.

    The child reads its request by :func:`requested`. An error of ``on_line``, or of ``on_wait``, which is called each
    second that the child is silent, ends it, and is raised.

    Raises:
        ChildDied: It took too much, or broke down.
        ChildError: It gave up.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MASKLET_")}  # no secrets
    environment |= {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=pass_fds,
        start_new_session=True,  # Ctrl-C in a terminal is for the parent
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        with suppress(BrokenPipeError):  # it died; its end is reported below
            process.stdin.write(json.dumps({**request, "limits": vars(limits)}).encode() + b"\n")
            process.stdin.flush()
        lines = _Lines(process.stdout, process.stderr, limits.seconds, on_wait)
        for line in lines:
            if "error" in line:
                raise ChildError(str(line["error"]))
            if "done" in line:
                return line["done"]
            on_line(line)
        code = process.wait(10)
        log.warning("%s ended with %s: %s", module, code, lines.complaint[-_TAIL:])
        raise ChildDied(_why(code))
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):
                stream.close()


def requested() -> dict[str, Any]:
    """In the child: what it is to do, from now on within its limits and no longer than its parent lives."""
    request = json.loads(sys.stdin.buffer.readline())
    os.nice(_NICE)
    Thread(target=_end_with_parent, name="parent", daemon=True).start()  # before the limits: it needs a stack
    ChildLimits(**request.pop("limits")).apply()
    return request


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def say(**line: Any) -> None:
    """In the child: a line to the parent."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Lines:
    """Lines of a child until it closes its output or its time is over; what it complains of is kept, the end of it."""

    def __init__(self, output: IO[bytes], complaints: IO[bytes], seconds: float, on_wait: Callable[[], object]) -> None:
        self._output, self._complaints, self._seconds, self._on_wait = output, complaints, seconds, on_wait
        self._deadline = time.monotonic() + seconds
        self.complaint = ""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._complaints, selectors.EVENT_READ)
            while selector.get_map():
                for stream in self._ready(selector):
                    data = os.read(stream.fileno(), 2**16)
                    if not data:
                        selector.unregister(stream)
                    elif stream is self._complaints:
                        self.complaint = (self.complaint + data.decode(errors="replace"))[-_TAIL:]
                    else:
                        *lines, rest = (rest + data).split(b"\n")
                        if len(rest) > _LONGEST_LINE:
                            raise ChildDied("it said too much")
                        yield from map(_parsed, lines)

    def _ready(self, selector: selectors.BaseSelector) -> list[IO[bytes]]:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ChildDied(f"it took more than {self._seconds:g} seconds: take a shorter or smaller one")
        ready: list[Any] = [key.fileobj for key, _ in selector.select(min(left, _WAIT))]
        if not ready:
            self._on_wait()
        return ready


def _parsed(line: bytes) -> dict[str, Any]:
    """A line; libraries that print do no harm."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _why(code: int) -> str:
    if code == -24 or code == -9:  # SIGXCPU; SIGKILL: the kernel took it, or out of memory
        return "it took more time or memory than is allowed: take a shorter or smaller one"
    if code == -25:  # SIGXFSZ
        return "what it holds takes more room than is allowed: take a shorter or smaller one"
    return "the program that reads it broke down: the file is damaged, or asks for more memory than is allowed"
