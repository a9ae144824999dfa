"""``masklet track``: follow objects through a video and write their masks."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ..tracker import Direction
from ..video.images import DEFAULT_MAX_PIXELS
from .compute import FitText, check_compute, fitting
from .frame_range import frame_range
from .model_choice import ModelChoice
from .output import PLACES, SCORES, Format, check_output, write_results
from .output_folder import check_folder, refuse_overwriting
from .prompt_text import PromptText, mask_from, video_prompts

if TYPE_CHECKING:
    from ..inference.region_session import RegionSession
    from ..inference.session import VideoSession
    from ..video.frames import FrameSource

Texts = Annotated[list[str], tyro.conf.arg(metavar="TEXT"), tyro.conf.UseAppendAction]


def track(
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")],
    /,
    point: Texts = [],  # noqa: B006 - tyro reads the default, nothing changes it
    negative: Texts = [],  # noqa: B006
    box: Texts = [],  # noqa: B006
    mask: Texts = [],  # noqa: B006
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out"),
    format: Annotated[list[Format], tyro.conf.UseAppendAction] = [],  # noqa: B006
    model: str = "nano",
    image_size: int | None = None,
    fit: FitText = "stretch",
    device: str = "cpu",
    start: int | None = None,
    stop: int | None = None,
    direction: Direction = "both",
    scene_cuts: bool = False,
    region_of_interest: float | None = None,
    session: Path | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    quiet: bool = False,
) -> int:
    """Follow objects through a video and write their masks.

    A prompt is written FRAME:VALUES; an object's number may precede it, as in 2@0:210,350 (else it is object 1).

    Args:
        source: A video file, a folder or a quoted glob of images, or camera:0.
        point: A click on an object, FRAME:X,Y in pixels; FRAME:-X,Y is a click off it.
        negative: A click off an object, FRAME:X,Y.
        box: A box around an object, FRAME:X0,Y0,X1,Y1.
        mask: A mask file, FRAME:FILE; every label in it is an object.
        output: Folder to write into; what an earlier run wrote there is removed.
        format: png (indexed, DAVIS palette; the default), objects (a PNG for each object), coco, sa-v, overlay (H.264).
            For editors, each object apart: rgba (PNG cut-outs), matte (grey PNG), prores (4444 with alpha, .mov), vp9
            (with alpha, .webm).
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32: smaller is faster.
        fit: How frames fill the input: stretch, to the square; letterbox, into it, the aspect kept; native, an input of
            the frames' own aspect with as many pixels; HEIGHTxWIDTH.
        device: cpu, cuda, mps.
        start: First frame to write; by default the first of the video.
        stop: Last frame to write, itself included; by default the last of the video.
        direction: both: forward from the earliest prompted frame of the range to --stop, then backward to --start.
            forward, backward: only one of these. Prompts outside the range count too; if none lies inside, the frames
            on the way from the nearest one are tracked, but not written.
        scene_cuts: Begin recent memory anew where the video cuts to another scene.
        region_of_interest: Track each object that is small in a window that follows it, so many times as large as the
            object (2 serves), which the model sees enlarged. Without --session.
        session: Save the session to this file too: VideoSession.load goes on with it, masklet convert reads it.
        max_pixels: Refuse larger frames and mask files.
        quiet: No progress bar and no summary.
    """
    prompts = video_prompts(point, negative, box, mask, max_pixels)
    if not prompts:
        raise ValueError("there is nothing to track: give --point, --box or --mask")
    formats: list[Format] = list(dict.fromkeys(format)) or ["png"]
    where = start, stop, direction, scene_cuts, region_of_interest, session
    chosen = ModelChoice(model, image_size, device)
    run(Job(source, prompts, output, formats, chosen, fit, *where, max_pixels, quiet))
    return 0


@dataclass(frozen=True)
class Job:
    """One run of the tracker."""

    source: str
    prompts: dict[tuple[int, int], PromptText]
    out: Path
    formats: list[Format]
    model: ModelChoice = ModelChoice()  # noqa: RUF009 - frozen
    fit: str = "stretch"
    start: int | None = None
    stop: int | None = None
    direction: Direction = "both"
    scene_cuts: bool = False
    region_of_interest: float | None = None
    session: Path | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    quiet: bool = False


def run(job: Job) -> None:
    """Load, prompt, track, write, and say what was done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..inference.options import SessionOptions
    from ..inference.region_session import RegionSession
    from ..inference.session import VideoSession
    from ..video.frames import open_source

    check_compute(job.model.device, job.model.image_size)
    options = SessionOptions(fit=fitting(job.fit), scene_cuts=job.scene_cuts)
    console = Console(stderr=True, quiet=job.quiet, highlight=False, markup=False, emoji=False)
    say = partial(console.print, soft_wrap=True)
    with open_source(job.source, max_pixels=job.max_pixels) as source:
        prompted = sorted({frame for frame, _ in job.prompts})
        wanted = frame_range(prompted, job.start, job.stop, job.direction, source.length)
        _check(job, source)
        model = job.model.load()
        if job.region_of_interest is None:
            session = VideoSession(source, model, options=options)
        else:
            session = RegionSession(source, model, around=job.region_of_interest, options=options)
        for (frame, object_id), prompt in sorted(job.prompts.items(), key=lambda item: item[0]):
            _prompt(session, frame, object_id, prompt)
        frames = "frames" if source.length is None else f"{source.length} frames"
        height, width = source.size
        say(f"tracking through {Path(source.name).name}: {frames} of {width} x {height} with {job.model.name}")
        if wanted.begin not in wanted:
            say(f"tracking begins at frame {wanted.begin}, the nearest prompt; the way to the range is not written")
        columns = (
            TextColumn("tracking"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        clock, done = time.perf_counter(), 0
        confidence: dict[int, list[float]] = {}
        written = write_results(wanted.track(session), source, job.out, job.formats, rising=not wanted.backward)
        with (
            closing(session),
            closing(written),
            Progress(*columns, console=console, disable=job.quiet or not sys.stderr.isatty()) as bar,
        ):
            task = bar.add_task("", total=wanted.count(source.length), speed="")
            for result in written:
                done += 1
                for i, one in result.items():
                    confidence.setdefault(i, []).append(one.confidence)
                bar.update(task, completed=done, speed=f"{done / (time.perf_counter() - clock):.1f} frames/s")
            if job.session is not None and isinstance(session, VideoSession):
                session.save(job.session)
        seconds = time.perf_counter() - clock
    for place in (*(PLACES[name] for name in job.formats), SCORES):
        say(f"wrote {job.out / place}")
    if job.session is not None:
        say(f"saved the session as {job.session}")
    say(f"{done} frames in {seconds:.1f} s: {done / seconds:.1f} frames/s with reading and writing")
    for i, values in confidence.items():
        say(f"object {i}: confidence {sum(values) / len(values):.2f} on average, {min(values):.2f} at worst")


def _check(job: Job, source: FrameSource) -> None:
    """Refuse before the model is loaded what cannot end well."""
    if job.region_of_interest is not None:
        if not job.region_of_interest > 1:
            raise ValueError(f"got --region-of-interest {job.region_of_interest}, expected a number above 1, such as 2")
        if job.session is not None:
            raise ValueError(
                "--region-of-interest has a session for each object, which --session cannot save: drop one"
            )
    for prompt in job.prompts.values():
        if prompt.mask is not None and prompt.mask_file is not None:
            mask_from(prompt.mask_file, source.size, prompt.mask)
    masks = {prompt.mask_file for prompt in job.prompts.values() if prompt.mask_file is not None}
    check_output(job.out, job.formats, source, masks, {object_id for _, object_id in job.prompts})
    if job.session is not None:
        refuse_overwriting([*source.files, *masks], [job.session])
        check_folder(job.session.parent)


def _prompt(session: VideoSession | RegionSession, frame: int, object_id: int, prompt: PromptText) -> None:
    if prompt.mask is not None:
        session.prompt(frame, object_id, mask=prompt.mask)
    if prompt.points or prompt.box is not None:
        points, labels = (prompt.points, prompt.labels) if prompt.points else (None, None)
        session.prompt(frame, object_id, points=points, labels=labels, box=prompt.box)
