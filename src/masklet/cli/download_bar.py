"""A progress bar for weights that a command downloads first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..checkpoints.download import Progress


@contextmanager
def download_bar(name: str) -> Iterator[Progress]:
    """Give :func:`masklet.load` its ``progress``; nothing shows on standard error unless something is downloaded."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bars = Bars(*columns, console=Console(stderr=True), transient=True)
    task = bars.add_task(f"downloading {name}", total=None)

    def show(done: int, total: int | None) -> None:
        bars.start()  # does nothing the second time
        bars.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if bars.live.is_started:  # to stop one that never started prints an empty line
            bars.stop()
