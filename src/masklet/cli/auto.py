"""``masklet auto``: masks of everything in images."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..video.images import DEFAULT_MAX_PIXELS
from .compute import FitText, check_compute, fitting
from .download_bar import download_bar
from .output_folder import check_folder, make_output, refuse_overwriting

if TYPE_CHECKING:
    import numpy as np

    from ..inference.automatic import AutomaticMask


def auto(
    images: Annotated[list[Path], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE...")],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out"),
    model: str = "nano",
    image_size: int | None = None,
    fit: FitText = "stretch",
    device: str = "cpu",
    grid: Annotated[str, tyro.conf.arg(metavar="N[,N...]")] = "32",
    coarse: int | None = None,
    least_iou: float | None = None,
    least_stability: float | None = None,
    small_area: int = 0,
    refine: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    quiet: bool = False,
) -> int:
    """Find masks of everything in images.

    Writes NAME.json (as SA-1B: run lengths, box, predicted IoU, stability and click of every mask) and NAME.overlay.png
    for each image. Masks overlap; in the picture the smallest is on top.

    Args:
        images: Image files.
        output: Folder to write into.
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32.
        fit: How images fill the input: stretch, to the square; letterbox, into it, the aspect kept; native, an input of
            their own aspect with as many pixels; HEIGHTxWIDTH.
        device: cpu, cuda, mps.
        grid: Clicks a side. Further numbers are for crops, of which there are 2 x 2, then 4 x 4: 32,16,4.
        coarse: Clicks a side of a grid that is asked first; then only what no mask covers is asked by the other.
            Faster, and may miss small objects on large ones.
        least_iou: Keep masks with a higher predicted IoU; by default 0.8, for nano 0.5.
        least_stability: Keep masks that are at least as stable, 0 to 1; by default 0.95, for nano 0.5.
        small_area: Repair holes and specks of at most so many pixels, counted at a quarter of the input's size.
        refine: Give every mask back to the model once; slow.
        max_pixels: Refuse larger images.
        quiet: No progress bar and no summary.
    """
    from functools import partial

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..checkpoints.load import load
    from ..inference.automatic import AutomaticMasks, AutomaticOptions
    from ..video.images import read_image

    check_compute(device, image_size)
    choices: dict[str, Any] = {"grids": _grids(grid), "coarse": coarse, "small_area": small_area, "refine": refine}
    choices["fit"] = fitting(fit)
    thresholds = {"least_iou": least_iou, "least_stability": least_stability}
    choices |= {name: value for name, value in thresholds.items() if value is not None}
    AutomaticOptions(**choices)  # refuses what makes no sense before a model is loaded
    _check(images, output)
    with download_bar(model) as progress:
        loaded = load(model, image_size=image_size, device=device, progress=progress)
    generator = AutomaticMasks(loaded, AutomaticOptions.suited(loaded, **choices))
    console = Console(stderr=True, quiet=quiet, highlight=False, markup=False, emoji=False)
    say = partial(console.print, soft_wrap=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=quiet or not sys.stderr.isatty(), transient=True) as bar:
        for path in images:
            picture = read_image(path, max_pixels=max_pixels)
            task = bar.add_task(path.name, total=None)
            for step in generator.stream(picture):
                bar.update(task, completed=step.done, total=step.total)
            bar.remove_task(task)
            make_output(output)
            masks = step.masks or ()
            _write(path, picture, masks, output)
            say(f"{path}: {len(masks)} masks, wrote {', '.join(map(str, _places(path, output)))}")
    return 0


def _check(images: list[Path], out: Path) -> None:
    """Refuse what would fail once masks are there."""
    from ..data.frames import MOVIES

    for path in images:
        if path.is_dir() or path.suffix.lower() in MOVIES:
            what = "a folder" if path.is_dir() else "a video"
            raise ValueError(f"{path} is {what}: masklet auto takes image files; for videos see masklet track")
        if not path.is_file():
            raise FileNotFoundError(f"there is no image {path}")
    twice = [name for name, count in Counter(path.stem for path in images).items() if count > 1]
    if twice:
        raise ValueError(f"several images are named {twice[0]} and would be written to the same files: give one")
    check_folder(out)
    refuse_overwriting(images, [place for path in images for place in _places(path, out)])


def _places(image: Path, out: Path) -> tuple[Path, Path]:
    return out / f"{image.stem}.json", out / f"{image.stem}.overlay.png"


def _write(path: Path, picture: np.ndarray, masks: tuple[AutomaticMask, ...], out: Path) -> None:
    import json

    import cv2

    from ..masks.nesting import label_map
    from ..video.atomic import write_bytes
    from ..video.overlay import overlay_labels

    height, width = picture.shape[:2]
    annotations = [one.annotation(k) for k, one in enumerate(masks, 1)]
    content = {"image": {"file_name": path.name, "width": width, "height": height}, "annotations": annotations}
    drawn = overlay_labels(picture, label_map([one.rle for one in masks], (height, width)))
    notes, shown = _places(path, out)
    write_bytes(notes, json.dumps(content).encode())
    write_bytes(shown, cv2.imencode(".png", drawn[:, :, ::-1])[1].tobytes())


def _grids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"got --grid {text}, expected clicks a side, as in 32 or 32,16,4") from None
