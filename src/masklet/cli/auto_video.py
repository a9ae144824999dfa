"""``masklet auto`` of a video: masklets of everything, as a file of SA-V and as pictures."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..video.images import DEFAULT_MAX_PIXELS
from .model_choice import ModelChoice
from .output_folder import check_folder, make_output, refuse_overwriting, remove_files

if TYPE_CHECKING:
    import numpy as np

    from ..inference.masklet_options import MaskletOptions
    from ..inference.masklets import Masklets, MaskletsProgress
    from ..model.sam2 import Sam2
    from ..video.frames import FrameSource

VideoFormat = Literal["overlay", "objects"]
_PREVIEW_PERIOD = 2.0  # seconds


@dataclass(frozen=True)
class VideoFiles:
    """A video and what is written of it."""

    video: Path
    out: Path
    formats: tuple[VideoFormat, ...]

    @property
    def name(self) -> str:
        """What its files are called after."""
        return Path(os.path.abspath(self.video)).stem  # of a link: its own name

    @property
    def places(self) -> dict[str, Path]:
        """What is written, by kind."""
        endings = {"json": ".json", "preview": ".preview.jpg", "overlay": ".mp4", "objects": "", "unfinished": ".part"}
        return {kind: self.out / f"{self.name}_auto{ending}" for kind, ending in endings.items()}


@dataclass(frozen=True)
class VideoJob:
    """One run over a video.

    Attributes:
        masks: Changes of :class:`~masklet.inference.automatic.AutomaticOptions`.
        choices: Changes of :class:`~masklet.inference.masklet_options.MaskletOptions`.
    """

    files: VideoFiles
    model: ModelChoice
    masks: dict[str, Any]
    choices: dict[str, Any]
    resume: bool = True
    max_pixels: int = DEFAULT_MAX_PIXELS
    quiet: bool = False


def is_video(paths: list[Path]) -> bool:
    """Whether what is given is one video: a movie, or a folder of frames.

    Raises:
        ValueError: A movie or folder is given with something else.
    """
    from ..data.frames import MOVIES

    videos = [path for path in paths if path.is_dir() or path.suffix.lower() in MOVIES]
    if videos and len(paths) > 1:
        raise ValueError(f"{videos[0]} is a video: give one video, or only image files")
    return bool(videos)


def run(job: VideoJob) -> None:
    """Load, find, follow, write, and say what was done."""
    from rich.console import Console

    from ..inference.automatic_masklets import AutomaticMasklets
    from ..inference.masklet_options import MaskletOptions
    from ..video.frames import open_source

    MaskletOptions(**job.choices)  # refuses what makes no sense before a model is loaded
    files, places = job.files, job.files.places
    check_folder(files.out)
    if files.video.is_dir() and files.out.exists() and files.video.samefile(files.out):
        raise ValueError(
            f"{files.out} is the folder of the frames, of which the preview would be one: choose another -o"
        )
    console = Console(stderr=True, quiet=job.quiet, highlight=False, markup=False, emoji=False)
    say = partial(console.print, soft_wrap=True)
    with open_source(files.video, max_pixels=job.max_pixels) as source:
        refuse_overwriting(source.files, [place for place in places.values() if place.is_file()])
        model = job.model.load()
        options = masklet_options(model, job.masks, job.choices)
        make_output(files.out)
        if not job.resume and places["unfinished"].exists():
            shutil.rmtree(places["unfinished"])
        height, width = source.size
        shape = f"{source.length} frames of {width} x {height}"
        say(f"finding everything in {files.video.name}: {shape} with {job.model.name}")
        if places["unfinished"].exists():
            say(f"going on with {places['unfinished']}; --no-resume begins anew")
        clock = time.perf_counter()
        steps = AutomaticMasklets(model, options).stream(source, places["unfinished"])
        with _watched(job, steps, source, console) as masklets:
            written = write(files, masklets)
            say(f"{len(masklets.ids)} masklets in {time.perf_counter() - clock:.1f} s, wrote {', '.join(written)}")
    shutil.rmtree(places["unfinished"])
    places["preview"].unlink(missing_ok=True)


def masklet_options(model: Sam2, masks: dict[str, Any], choices: dict[str, Any]) -> MaskletOptions:
    """What suits a model, with what a user wants otherwise; see :class:`VideoJob`."""
    from ..inference.masklet_options import MaskletOptions
    from ..inference.options import SessionOptions

    session = SessionOptions(fit=masks["fit"], scene_cuts=True, undo_levels=0)
    options = MaskletOptions.suited(model, session=session)
    return replace(options, masks=replace(options.masks, **masks), **choices)


def _watched(job: VideoJob, steps: Iterable[MaskletsProgress], source: FrameSource, console: Any) -> Masklets:
    """Go through all steps, show how far they are, and return the result."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    shown = -_PREVIEW_PERIOD
    with (
        closing(steps),  # pyright: ignore[reportArgumentType]  a generator
        Progress(*columns, console=console, disable=job.quiet or not sys.stderr.isatty(), transient=True) as bar,
    ):
        task = bar.add_task("frames", total=source.length)
        for step in steps:
            text = f"{len(step.living)} objects live, {step.count} so far"
            bar.update(task, completed=step.frame + 1, description=text)
            if time.monotonic() - shown >= _PREVIEW_PERIOD:
                _preview(job.files.places["preview"], source.frame(step.frame), step)
                shown = time.monotonic()
            if step.masklets is not None:
                return step.masklets
    raise AssertionError("a video has a last frame")


def _preview(path: Path, picture: np.ndarray, step: MaskletsProgress) -> None:
    import cv2

    from ..masks.nesting import label_map
    from ..video.atomic import write_bytes
    from ..video.overlay import overlay_labels

    labels = label_map(list(step.masks.values()), picture.shape[:2])
    drawn = overlay_labels(picture, _numbered(labels, list(step.masks)))
    write_bytes(path, cv2.imencode(".jpg", drawn[:, :, ::-1])[1].tobytes())


def write(files: VideoFiles, masklets: Masklets) -> list[str]:
    """Write all that was asked for; returns what it is."""
    from ..masks.nesting import label_map
    from ..video.mask_files import is_written_mask
    from ..video.overlay_video import OverlayVideoWriter
    from ..video.writer import ObjectPngWriter

    places, source = files.places, masklets.source
    remove_files([path for path in places["objects"].rglob("*.png") if is_written_mask(path)], files.out)
    if "overlay" not in files.formats:
        places["overlay"].unlink(missing_ok=True)  # of other options
    with ExitStack() as stack:
        if "overlay" in files.formats:
            overlay = stack.enter_context(OverlayVideoWriter(places["overlay"], source.size, fps=source.fps))
        if "objects" in files.formats:
            objects = stack.enter_context(ObjectPngWriter(places["objects"], source.size))
        for frame in masklets if files.formats else ():
            if "objects" in files.formats:
                objects.add(frame.frame, frame.masks)
            if "overlay" in files.formats:
                labels = _numbered(label_map([one.rle() for one in frame.values()], source.size), list(frame))  # pyright: ignore[reportArgumentType]
                overlay.add(frame.frame, {i: labels == i for i in frame}, frame=source.frame(frame.frame))
    masklets.write_sa_v(files.out, files.name)
    return [str(places[kind]) for kind in ("json", *files.formats)]


def _numbered(labels: np.ndarray, ids: list[int]) -> np.ndarray:
    """A map of ids of one of places among them, which count from 1."""
    import numpy as np

    return np.array([0, *ids], np.int32)[labels]
