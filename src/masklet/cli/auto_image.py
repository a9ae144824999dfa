"""``masklet auto`` of images: masks of everything, as SA-1B has them, and a picture of them."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model_choice import ModelChoice
from .output_folder import check_folder, make_output, refuse_overwriting

if TYPE_CHECKING:
    import numpy as np

    from ..inference.automatic import AutomaticMask

FAULTY = 1
"""Exit code of a run in which something could not be done."""


@dataclass(frozen=True)
class ImageJob:
    """One run over images.

    Attributes:
        choices: Changes of :class:`~masklet.inference.automatic.AutomaticOptions`.
        nested: Say also how masks lie in each other, and write a label map.
    """

    images: tuple[Path, ...]
    out: Path
    model: ModelChoice
    choices: dict[str, Any]
    max_pixels: int
    quiet: bool
    nested: bool = False


def run(job: ImageJob) -> int:
    """Load, find, write, and say what was done and what cannot be read; returns the exit code."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..inference.automatic import AutomaticMasks, AutomaticOptions
    from ..video.images import read_image

    _check(job.images, job.out)
    loaded = job.model.load()
    generator = AutomaticMasks(loaded, AutomaticOptions.suited(loaded, **job.choices))
    console = Console(stderr=True, quiet=job.quiet, highlight=False, markup=False, emoji=False)
    say = partial(console.print, soft_wrap=True)
    faults: list[str] = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=job.quiet or not sys.stderr.isatty(), transient=True) as bar:
        for path in job.images:
            try:
                picture = read_image(path, max_pixels=job.max_pixels)
            except (OSError, ValueError) as error:  # the others are done all the same
                faults.append(str(error))
                continue
            task = bar.add_task(path.name, total=None)
            for step in generator.stream(picture):
                bar.update(task, completed=step.done, total=step.total)
            bar.remove_task(task)
            make_output(job.out)
            masks = step.masks or ()
            written = write(path, picture, masks, job.out, nested=job.nested)
            say(f"{path}: {len(masks)} masks, wrote {', '.join(written)}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return FAULTY if faults else 0


def write(
    path: Path, picture: np.ndarray, masks: tuple[AutomaticMask, ...], out: Path, *, nested: bool = False
) -> list[str]:
    """Write the masks of an image, a picture of them, and if asked for how they are nested; returns the files."""
    import json

    import cv2
    import numpy as np

    from ..masks.nesting import hierarchy, label_map
    from ..video.atomic import write_bytes
    from ..video.mask_files import is_written_mask, write_marked_png
    from ..video.overlay import overlay_labels

    height, width = picture.shape[:2]
    rles = [one.rle for one in masks]
    annotations = [one.annotation(k) for k, one in enumerate(masks, 1)]
    content = {"image": {"file_name": path.name, "width": width, "height": height}, "annotations": annotations}
    labels = label_map(rles, (height, width))
    drawn = overlay_labels(picture, labels)
    notes, shown, mapped = _places(path, out)
    if nested:
        for annotation, nest in zip(annotations, hierarchy(rles), strict=True):
            annotation |= {"part_of": _number(nest.part_of), "inside": _number(nest.inside)}
        write_marked_png(mapped, cv2.imencode(".png", labels.astype(np.uint16))[1].tobytes())
    elif mapped.is_file() and is_written_mask(mapped):
        mapped.unlink()  # of other options
    write_bytes(notes, json.dumps(content).encode())
    write_bytes(shown, cv2.imencode(".png", drawn[:, :, ::-1])[1].tobytes())
    return [str(place) for place in (notes, shown, *([mapped] if nested else []))]


def _check(images: tuple[Path, ...], out: Path) -> None:
    """Refuse what would fail once masks are there."""
    for path in images:
        if not path.is_file():
            raise FileNotFoundError(f"there is no image {path}")
    twice = [name for name, count in Counter(path.stem for path in images).items() if count > 1]
    if twice:
        raise ValueError(f"several images are named {twice[0]} and would be written to the same files: give one")
    check_folder(out)
    refuse_overwriting(images, [place for path in images for place in _places(path, out)])


def _places(image: Path, out: Path) -> tuple[Path, Path, Path]:
    return out / f"{image.stem}.json", out / f"{image.stem}.overlay.png", out / f"{image.stem}.labels.png"


def _number(index: int | None) -> int | None:
    return None if index is None else index + 1
