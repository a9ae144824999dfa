"""``masklet data make-clips``: a data set of videos out of one of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class MakeClips:
    """Make clips with exact masks out of images with masks.

    Photos are filmed by a moving camera, and the things outlined in them are cut out and move over others: they hide
    one another, leave and return, and have look-alikes. Writes folders with frames/ and masks/, which masklet train and
    masklet data check read. A clip that is there already is kept.
    """

    dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder, annotation file, or address of the images."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder to write into; it must lie outside DIR."""
    clips: int = 100
    """How many clips."""
    frames: int = 24
    """Frames of each."""
    objects: int = 2
    """Objects of each."""
    size: int = 480
    """Side of the square frames in pixels."""
    seed: int = 0
    """Of everything random."""
    format: str | None = None
    """Name of the format; by default it is recognised."""
    split: str | None = None
    """Part of the data set, such as train or val."""
    quiet: bool = False
    """No progress bar."""


def make_clips(command: MakeClips) -> int:
    """Write the clips."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    from ..data.made_up_set import write_made_up_set
    from ..data.open import open_dataset
    from ..data.record_stills import RecordStills, of_records
    from ..data.synthetic import ClipConfig
    from .output_folder import check_folder, make_output, refuse_inside

    if "://" not in command.dir:
        refuse_inside(command.output, Path(command.dir).expanduser())
    check_folder(command.output.absolute())
    made = write_made_up_set(
        RecordStills(open_dataset(command.dir, command.format, command.split)),
        command.output,
        command.clips,
        frames=command.frames,
        objects=command.objects,
        size=command.size,
        seed=command.seed,
        config=of_records(ClipConfig()),
    )
    console = Console(stderr=True)
    make_output(command.output)
    hidden = command.quiet or not console.is_terminal
    for _ in track(made, "clips", total=command.clips, console=console, disable=hidden, transient=True):
        pass
    Console(highlight=False).print(f"wrote {command.clips} clips to {escape(str(command.output))}", soft_wrap=True)
    return 0
