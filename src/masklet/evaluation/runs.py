"""Running an evaluation: pieces of work, done in any order by any number of processes, each result kept as it comes.

A piece of work (a unit) depends on nothing but its name, so that results are equal whatever is done beside them, on
however many machines, and after however many stops.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..data.settings import keep_settings
from ..video.atomic import write_bytes

SETTINGS = "settings.json"
FAULTS = (ValueError, LookupError, OSError)
"""What is wrong with one video and does not stop the others; anything else is a mistake in the program."""


@dataclass(frozen=True)
class Unit:
    """A piece of work: one video (or image) under one kind of prompt.

    Attributes:
        group: The kind of prompt, such as ``3 clicks`` or ``offline``.
        index: Number of the video in the data set.
        name: Its name, for messages.
    """

    group: str
    index: int
    name: str

    @property
    def file(self) -> str:
        """Where its result is kept, relative to the folder of the run."""
        return f"units/{re.sub(r'[^a-z0-9]+', '-', self.group)}/{self.index:06d}.json"


Do = Callable[[Unit], Any]
"""Does a unit; the result is plain values that JSON can hold."""
Prepare = Callable[[], Do]
"""Called once in each process; can be sent there."""


@dataclass(frozen=True)
class Done:
    """A finished unit: a result, or what is wrong with its data."""

    unit: Unit
    result: Any = None
    fault: str | None = None


@runtime_checkable
class Pool(Protocol):
    """Where units are done."""

    def results(self, prepare: Prepare, units: Iterable[Unit]) -> Iterator[Done]:
        """Do the units, a few at a time; yield each when it is finished, in any order."""
        ...


class ThisProcess:
    """A :class:`Pool` of no other process."""

    def results(self, prepare: Prepare, units: Iterable[Unit]) -> Iterator[Done]:
        """Do one unit after the other."""
        do = prepare()
        for unit in units:
            yield attempt(do, unit)


@dataclass(frozen=True)
class Processes:
    """A :class:`Pool` of processes of this machine."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"expected at least 1 process, got {self.count}")

    def results(self, prepare: Prepare, units: Iterable[Unit]) -> Iterator[Done]:
        """Do the units; closing the iterator ends the processes.

        Raises:
            RuntimeError: A process has died, for instance of memory.
        """
        others = set(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.count, context, initializer=_start, initargs=(prepare,))
        running: dict[Future[Done], Unit] = {}
        left = iter(units)
        try:
            while True:
                for unit in left:
                    running[pool.submit(_do_here, unit)] = unit
                    if len(running) >= 2 * self.count:
                        break
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a process has died, perhaps of memory: run again with fewer workers; what was finished is kept"
            ) from error
        finally:
            if running:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in set(multiprocessing.active_children()) - others:
                    child.terminate()
            pool.shutdown()


def run_units(
    units: Sequence[Unit], prepare: Prepare, folder: Path, settings: Mapping[str, Any], pool: Pool
) -> Iterator[Done]:
    """Do what is left of a run and yield the result of every unit, those of an earlier start first.

    Each result is a file of its own below the folder, complete or absent. Units with a fault are not kept and are tried
    again by the next start.

    Args:
        units: All pieces of work.
        prepare: Makes what does them.
        folder: Of the run.
        settings: Everything that results depend on, as plain values; kept as ``settings.json``.
        pool: Where they are done.

    Raises:
        ValueError: The folder holds a run with other settings (they are named), or a damaged result.
        OSError: A result cannot be written.
    """
    keep_settings(folder / SETTINGS, settings, "take another folder, or remove it")
    left = []
    for unit in units:
        path = folder / unit.file
        if path.exists():
            yield Done(unit, _kept(path, unit))
        else:
            left.append(unit)
    for done in pool.results(prepare, left):
        if done.fault is None:
            kept = {"group": done.unit.group, "name": done.unit.name, "result": done.result}
            write_bytes(folder / done.unit.file, json.dumps(kept).encode())
        yield done


def attempt(do: Do, unit: Unit) -> Done:
    """Do a unit, and keep what is wrong with its data as a fault."""
    try:
        return Done(unit, do(unit))
    except FAULTS as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        return Done(unit, fault=text or type(error).__name__)


def _kept(path: Path, unit: Unit) -> Any:
    kept = _read(path)
    if kept.get("name") != unit.name or kept.get("group") != unit.group or "result" not in kept:
        raise ValueError(f"{path} is not the result of {unit.group} on {unit.name}: remove it, it will be made again")
    return kept["result"]


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): remove it, it will be made again") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds {type(values).__name__}, expected an object: remove it")
    return values


_prepare: Prepare | None = None  # of this process, which a pool has started
_do: Do | None = None


def _start(prepare: Prepare) -> None:
    """Begin a process: Ctrl-C is for the one that has started it."""
    global _prepare
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prepare = prepare


def _do_here(unit: Unit) -> Done:
    """Prepared with the first unit: what goes wrong then is an error of its kind, not the death of a process."""
    global _do
    assert _prepare is not None
    _do = _do or _prepare()
    return attempt(_do, unit)
