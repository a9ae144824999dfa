"""``masklet track``: follow objects through a video and write their masks."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .download_bar import download_bar
from .output import PLACES, Format, write_results
from .prompt_text import PromptText, video_prompts

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
    device: str = "cpu",
    start: int | None = None,
    stop: int | None = None,
    direction: Literal["forward", "backward", "both"] = "both",
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
        output: Folder to write into.
        format: png (indexed, DAVIS palette; the default), objects (a PNG for each object), coco, sa-v, overlay (H.264).
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32: smaller is faster.
        device: cpu, cuda, mps.
        start: First frame; by default the earliest prompted one.
        stop: Last frame.
        direction: both: forward from the start, then backward to the beginning of the video.
        quiet: No progress bar and no summary.
    """
    prompts = video_prompts(point, negative, box, mask)
    if not prompts:
        raise ValueError("there is nothing to track: give --point, --box or --mask")
    formats: list[Format] = list(dict.fromkeys(format)) or ["png"]
    job = Job(source, prompts, output, formats, model, image_size, device, start, stop, direction, quiet)
    run(job)
    return 0


@dataclass(frozen=True)
class Job:
    """One run of the tracker."""

    source: str
    prompts: dict[tuple[int, int], PromptText]
    out: Path
    formats: list[Format]
    model: str = "nano"
    image_size: int | None = None
    device: str = "cpu"
    start: int | None = None
    stop: int | None = None
    direction: Literal["forward", "backward", "both"] = "both"
    quiet: bool = False


def run(job: Job) -> None:
    """Load, prompt, track, write, and say what was done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from masklet.checkpoints.load import load
    from masklet.inference.session import VideoSession
    from masklet.video.frames import open_source

    console = Console(stderr=True, quiet=job.quiet, highlight=False)
    with open_source(job.source) as source:
        with download_bar(job.model) as progress:
            model = load(job.model, image_size=job.image_size, device=job.device, progress=progress)
        session = VideoSession(source, model)
        for (frame, object_id), prompt in sorted(job.prompts.items(), key=lambda item: item[0]):
            _prompt(session, frame, object_id, prompt)
        begin = min(frame for frame, _ in job.prompts) if job.start is None else job.start
        rising = job.direction == "forward" or (job.direction == "both" and begin == 0)
        results = session.propagate(start=begin, stop=job.stop, direction=job.direction)
        frames = "frames" if source.length is None else f"{source.length} frames"
        height, width = source.size
        console.print(f"tracking through {Path(source.name).name}: {frames} of {width} x {height} with {job.model}")
        columns = (
            TextColumn("tracking"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        clock, done = time.perf_counter(), 0
        confidence: dict[int, list[float]] = {}
        with Progress(*columns, console=console, disable=job.quiet or not sys.stderr.isatty()) as bar:
            task = bar.add_task("", total=_expected(source.length, begin, job), speed="")
            for result in write_results(results, source, job.out, job.formats, rising):
                done += 1
                for i, one in result.items():
                    confidence.setdefault(i, []).append(one.confidence)
                bar.update(task, completed=done, speed=f"{done / (time.perf_counter() - clock):.1f} frames/s")
        seconds = time.perf_counter() - clock
    for name in job.formats:
        console.print(f"wrote {job.out / PLACES[name]}")
    console.print(f"wrote {job.out / 'scores.json'}")
    console.print(f"{done} frames in {seconds:.1f} s: {done / seconds:.1f} frames/s with reading and writing")
    for i, values in confidence.items():
        console.print(f"object {i}: confidence {sum(values) / len(values):.2f} on average, {min(values):.2f} at worst")


def _prompt(session: object, frame: int, object_id: int, prompt: PromptText) -> None:
    from masklet.inference.session import VideoSession

    assert isinstance(session, VideoSession)
    if prompt.mask is not None:
        session.prompt(frame, object_id, mask=prompt.mask)
    if prompt.points or prompt.box is not None:
        points, labels = (prompt.points, prompt.labels) if prompt.points else (None, None)
        session.prompt(frame, object_id, points=points, labels=labels, box=prompt.box)


def _expected(length: int | None, begin: int, job: Job) -> int | None:
    if length is None:
        return None
    forward = (length - 1 if job.stop is None else job.stop) - begin + 1
    if job.direction == "forward":
        return forward
    if job.direction == "backward":
        return begin - (job.stop or 0) + 1
    return forward + begin
