"""How far a corpus is: so many done, how fast, how long still."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..evaluation.runs import Done

_PERIOD = 30.0  # seconds between lines where there is no bar


class Shown:
    """How far a run is: a bar on a terminal, elsewhere a line now and then."""

    def __init__(self, total: int, before: int, quiet: bool) -> None:
        """Begin to count.

        Args:
            total: Videos and images.
            before: Those that earlier runs have done.
            quiet: Show nothing but what failed.
        """
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._total, self._before = total, before
        self._begun = self._last = time.monotonic()
        self._done = self._failed = self.frames = self.masks = self.bytes = 0
        self._console = Console(stderr=True, quiet=quiet, highlight=False, markup=False, emoji=False)
        plain = quiet or not sys.stderr.isatty()
        self._lines = plain and not quiet
        self._bar = Progress(
            BarColumn(), TextColumn("{task.description}"), console=self._console, disable=plain, transient=True
        )
        self._task = self._bar.add_task(self.text(), total=total, completed=before)

    def add(self, done: Done) -> None:
        """Count what is finished or has failed."""
        if done.fault is None:
            self._done += 1
            self.frames += done.result["frames"]
            self.masks += done.result["masks"]
            self.bytes += done.result["bytes"]
        else:
            self._failed += 1
            self.say(f"failed: {done.unit.name}: {done.fault}")
        text = self.text()
        self._bar.update(self._task, completed=self._before + self._done + self._failed, description=text)
        if self._lines and time.monotonic() - self._last >= _PERIOD:
            self.say(text)
            self._last = time.monotonic()

    def text(self) -> str:
        """So many, how fast, how long still."""
        return pace(self._total, self._before + self._done, self._done, self._failed, time.monotonic() - self._begun)

    def say(self, text: str) -> None:
        """Print a line on standard error."""
        self._console.print(text, soft_wrap=True)

    def __enter__(self) -> Shown:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def pace(total: int, done: int, now: int, failed: int, seconds: float) -> str:
    """A line on progress.

    Args:
        total: All there is to do.
        done: Of these, earlier runs included.
        now: Done by this run.
        failed: Failed in this run.
        seconds: Since it began.
    """
    text = f"{done} of {total} done" + (f", {failed} failed" if failed else "")
    left, tried = total - done - failed, now + failed
    if tried and seconds > 0:
        text += f", {60 * tried / seconds:.1f} a minute"
        if left:
            text += f", {duration(left * seconds / tried)} left"
    return text


def duration(seconds: float) -> str:
    """Time for people: the largest unit of which there is more than one."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
