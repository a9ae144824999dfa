"""A child process that does one thing within limits and says in lines of JSON how far it is.

Each line of its standard output is an object. ``{"error": sentence}`` ends it, ``{"done": ...}`` is what came of it.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

log = logging.getLogger(__name__)

_LONGEST_LINE = 2**28
_TAIL = 2000  # characters of the standard error that are logged
OnLine = Callable[[dict[str, Any]], object]


class ChildError(ValueError):
    """The child gave up, was stopped or died; the message says why, for the user."""


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
    module: str, request: dict[str, Any], limits: ChildLimits, on_line: OnLine, pass_fds: Sequence[int] = ()
) -> Any:
    """Run ``python -m module`` with a request on its standard input; returns what it has ``done``.

    The child reads its request by :func:`requested`. An error of ``on_line`` ends it, and is raised.

    Raises:
        ChildError: It gave up, took too much, or died.
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
        try:
            process.stdin.write(json.dumps({**request, "limits": vars(limits)}).encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died; its end is reported below
        lines = _Lines(process.stdout, process.stderr, time.monotonic() + limits.seconds, limits.seconds)
        for line in lines:
            if "error" in line:
                raise ChildError(str(line["error"]))
            if "done" in line:
                return line["done"]
            on_line(line)
        code = process.wait(10)
        log.warning("%s ended with %s: %s", module, code, lines.complaint[-_TAIL:])
        raise ChildError(_why(code))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def requested() -> dict[str, Any]:
    """In the child: what it is to do, from now on within its limits."""
    request = json.loads(sys.stdin.buffer.read())
    ChildLimits(**request.pop("limits")).apply()
    return request


def say(**line: Any) -> None:
    """In the child: a line to the parent."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Lines:
    """Lines of a child until it closes its output or its time is over; what it complains of is kept, the end of it."""

    def __init__(self, output: IO[bytes], complaints: IO[bytes], deadline: float, seconds: float) -> None:
        self._output, self._complaints, self._deadline, self._seconds = output, complaints, deadline, seconds
        self.complaint = ""

    def __iter__(self) -> Any:
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._complaints, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, self._deadline - time.monotonic()))
                if not ready:
                    raise ChildError(f"it took more than {self._seconds:g} seconds: take a shorter video")
                for key, _ in ready:
                    stream: Any = key.fileobj
                    data = os.read(stream.fileno(), 2**16)
                    if not data:
                        selector.unregister(stream)
                    elif stream is self._complaints:
                        self.complaint = (self.complaint + data.decode(errors="replace"))[-_TAIL:]
                    else:
                        *lines, rest = (rest + data).split(b"\n")
                        if len(rest) > _LONGEST_LINE:
                            raise ChildError("it said too much")
                        yield from map(_parsed, lines)


def _parsed(line: bytes) -> dict[str, Any]:
    """A line; libraries that print do no harm."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _why(code: int) -> str:
    if code == -24 or code == -9:  # SIGXCPU; SIGKILL: the kernel took it, or out of memory
        return "it took more time or memory than is allowed: take a shorter or smaller video"
    if code == -25:  # SIGXFSZ
        return "its frames take more room than is allowed: take a shorter or smaller video"
    return "the program that reads it broke down: the file is damaged, or asks for more memory than is allowed"
