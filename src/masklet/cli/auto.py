"""``masklet auto``: masks of everything in images, and masklets of everything in a video."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..video.images import DEFAULT_MAX_PIXELS
from .auto_video import VideoFormat, VideoJob, is_video, run
from .compute import FitText, check_compute, fitting
from .download_bar import download_bar
from .output_folder import check_folder, make_output, refuse_overwriting

if TYPE_CHECKING:
    import numpy as np

    from ..inference.automatic import AutomaticMask


def auto(
    images: Annotated[list[Path], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE...|VIDEO")],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out"),
    model: str = "nano",
    image_size: int | None = None,
    fit: FitText = "stretch",
    device: str = "cpu",
    grid: Annotated[str | None, tyro.conf.arg(metavar="N[,N...]")] = None,
    coarse: int | None = None,
    least_iou: float | None = None,
    least_stability: float | None = None,
    small_area: int | None = None,
    refine: bool = False,
    every: int | None = None,
    most_objects: int | None = None,
    format: Annotated[list[VideoFormat], tyro.conf.UseAppendAction] = [],  # noqa: B006 - tyro reads the default
    resume: bool = True,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    quiet: bool = False,
) -> int:
    """Find masks of everything in images, or follow everything through a video.

    Writes NAME.json (as SA-1B: run lengths, box, predicted IoU, stability and click of every mask) and NAME.overlay.png
    for each image. Masks overlap; in the picture the smallest is on top. Of a video, NAME_auto.json (as SA-V: every
    fourth frame) and what --format says; NAME_auto.preview.jpg shows how far it is. A run that is stopped goes on where
    it was when the same command is given again.

    Args:
        images: Image files; or one video, which is a movie or a folder of frames.
        output: Folder to write into.
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32.
        fit: How images fill the input: stretch, to the square; letterbox, into it, the aspect kept; native, an input of
            their own aspect with as many pixels; HEIGHTxWIDTH.
        device: cpu, cuda, mps.
        grid: Clicks a side, of a video on its first frame. Further numbers are for crops, of which there are 2 x 2,
            then 4 x 4: 32,16,4. By default 32; for videos 32,16,4, with nano 16,8.
        coarse: Clicks a side of a grid that is asked first; then only what no mask covers is asked by the other.
            Faster, and may miss small objects on large ones.
        least_iou: Keep masks with a higher predicted IoU; by default 0.8, for nano 0.5.
        least_stability: Keep masks that are at least as stable, 0 to 1; by default 0.95, for nano 0.5.
        small_area: Repair holes and specks: in images those of at most so many pixels, counted at a quarter of the
            input's size, by default none; in videos those of fewer pixels of the video, by default 200.
        refine: Give every mask back to the model once; slow.
        every: Look for new objects in every so many-th frame of a video; by default 24. Scene cuts are looked at, too.
        most_objects: Most objects of a video that are followed at a time; by default 64, with nano 32.
        format: Of a video also: overlay (H.264), objects (a PNG for each object and frame).
        resume: Go on with an unfinished run in the output folder; off, begin anew.
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
    choices: dict[str, Any] = {"coarse": coarse, "refine": refine, "fit": fitting(fit)}
    grids = None if grid is None else _grids(grid)
    choices |= _given(least_iou=least_iou, least_stability=least_stability, grids=grids)
    AutomaticOptions(**choices)  # refuses what makes no sense before a model is loaded
    of_videos = _given(every=every, most_objects=most_objects)
    if is_video(images):
        of_videos |= _given(small_area=small_area)
        where = model, image_size, device
        formats = tuple(dict.fromkeys(format))
        run(VideoJob(images[0], output, formats, *where, choices, of_videos, resume, max_pixels, quiet))
        return 0
    if of_videos or format or not resume:
        named = next(iter(of_videos), "format" if format else "no-resume").replace("_", "-")
        raise ValueError(f"got --{named}, which is for videos, with images")
    choices |= _given(small_area=small_area)
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
    for path in images:
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


def _given(**values: Any) -> dict[str, Any]:
    """Those that a user gave."""
    return {name: value for name, value in values.items() if value is not None}


def _grids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"got --grid {text}, expected clicks a side, as in 32 or 32,16,4") from None
