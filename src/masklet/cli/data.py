"""``masklet data``: what is wrong with a data set, what is in it, clips made out of it, and how good masklets are."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..data.check import CLIP_FRAMES
from .make_clips import MakeClips, make_clips
from .rank import Rank, rank

if TYPE_CHECKING:
    from ..data.records import VideoDataset

_PIPE_WIDTH = 10_000
Folder = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]


@dataclass(frozen=True)
class Check:
    """Look for faults in a data set: prints them and returns 1 if there are any.

    Every frame and mask is decoded.
    """

    dir: Folder
    """Folder, annotation file, or address of object storage (s3://bucket/folder)."""
    format: str | None = None
    """Name of the format; by default it is recognised."""
    split: str | None = None
    """Part of the data set, such as train or val."""
    clip_frames: int = CLIP_FRAMES
    """A video of fewer frames is a fault."""
    quiet: bool = False
    """No progress bar."""


@dataclass(frozen=True)
class Stats:
    """Measure a data set: counts, sizes, lengths, objects, disappearance. Writes stats.json and plots.

    Every mask is decoded.
    """

    dir: Folder
    """Folder, annotation file, or address of object storage (s3://bucket/folder)."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out")
    """Folder to write into; it must lie outside DIR."""
    format: str | None = None
    """Name of the format; by default it is recognised."""
    split: str | None = None
    """Part of the data set, such as train or val."""
    quiet: bool = False
    """No progress bar."""


def data(
    command: Annotated[
        Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Stats, tyro.conf.subcommand("stats")]
        | Annotated[MakeClips, tyro.conf.subcommand("make-clips")]
        | Annotated[Rank, tyro.conf.subcommand("rank")],
        tyro.conf.arg(name=""),
    ],
) -> int:
    """Check and measure data sets of images and videos with masks, make clips out of images, rank automatic masklets.

    Formats: sa_v, sa_1b, davis, youtube_vos, lvos, mose, youtube_vis, coco, cvat, label_studio, mots, bsds, class_maps,
    yolo_seg, plain_folders, track_results.
    """
    if isinstance(command, MakeClips):
        return make_clips(command)
    if isinstance(command, Rank):
        return rank(command)
    return check(command) if isinstance(command, Check) else stats(command)


def check(command: Check) -> int:
    """Print the faults of a data set; gives 1 if there are any."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..data.check import Fault, check_names, check_record
    from ..data.open import open_dataset
    from ..data.paths import BrokenAnnotations

    faults: list[Fault] = []
    count = 0
    try:
        dataset = open_dataset(command.dir, command.format, command.split)
    except BrokenAnnotations as error:
        faults.append(Fault("", error.file, error.what))
    else:
        count = len(dataset)
        faults.extend(check_names(dataset))
        for index in _progress(dataset, command.quiet):
            faults.extend(check_record(dataset, index, command.clip_frames))
    # Of use in a pipe: one line a fault.
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_PIPE_WIDTH)
    if not faults:
        console.print(f"no faults in {_entries(count, dataset)} ({dataset.format})", soft_wrap=True)
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "file", "fault"):
        table.add_column(title, overflow="fold")
    for fault in faults:
        inside = fault.file.removeprefix(command.dir.rstrip("/") + "/")
        table.add_row(escape(fault.record), escape(inside), escape(fault.fault))
    console.print(table)
    console.print(f"\n{len(faults)} {'fault' if len(faults) == 1 else 'faults'}")
    return 1


def stats(command: Stats) -> int:
    """Print and write what a data set holds."""
    from rich.console import Console
    from rich.markup import escape

    from ..data.open import open_dataset
    from ..data.stats import DatasetStats
    from .output_folder import check_folder, make_output, refuse_inside

    if "://" not in command.dir:
        refuse_inside(command.output, Path(command.dir).expanduser())
    check_folder(command.output.absolute())
    dataset = open_dataset(command.dir, command.format, command.split)
    numbers = DatasetStats()
    for index in _progress(dataset, command.quiet):
        try:
            numbers.add(dataset[index])
        except (ValueError, LookupError, OSError):
            numbers.unreadable += 1
    make_output(command.output)
    numbers.write(command.output)
    console = Console(highlight=False)
    console.print(_table(numbers.summary()))
    if numbers.unreadable:
        console.print(f"\n{_entries(numbers.unreadable, dataset)} could not be read: see masklet data check")
    console.print(f"\nwrote stats.json and plots to {escape(str(command.output))}", soft_wrap=True)
    return 0


def _progress(dataset: VideoDataset, quiet: bool) -> Iterable[int]:
    """The numbers of the entries, with a bar on standard error while that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    return track(range(len(dataset)), dataset.format, console=console, disable=hidden, transient=True)


def _entries(count: int, dataset: VideoDataset) -> str:
    kind = "image" if dataset.stills else "video"
    return f"{count} {kind}{'' if count == 1 else 's'}"


def _table(summary: dict[str, Any]) -> Any:
    """Single numbers first, then those that are spread."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("what", no_wrap=True)
    for title in ("total", "min", "median", "mean", "p90", "max"):
        table.add_column(title, justify="right")
    for name, value in summary.items():
        title = name.replace("_", " ")
        if isinstance(value, int):
            table.add_row(title, f"{value:,}")
        elif isinstance(value, float):
            table.add_row(title, f"{100 * value:.1f} %")
        elif isinstance(value, dict) and "median" in value:
            table.add_row(title, "", *(f"{number:,.4g}" for number in value.values()))
    return table
