"""``masklet auto``: masks of everything in images, masklets of everything in a video, and both in a corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..inference.corpus_plan import CorpusShape
from ..video.images import DEFAULT_MAX_PIXELS
from . import auto_corpus, auto_image, auto_plan, auto_video
from .auto_corpus import CorpusWork, is_corpus
from .auto_image import ImageJob
from .auto_video import VideoFiles, VideoFormat, VideoJob, is_video
from .compute import FitText, check_compute, fitting
from .model_choice import ModelChoice


def auto(
    inputs: Annotated[list[str], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE...|VIDEO|CORPUS")],
    /,
    output: Annotated[str, tyro.conf.arg(aliases=["-o"])] = "out",
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
    hierarchy: bool = False,
    every: int | None = None,
    most_objects: int | None = None,
    format: Annotated[list[VideoFormat], tyro.conf.UseAppendAction] = [],  # noqa: B006 - tyro reads the default
    resume: bool = True,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    ray: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    plan: bool = False,
    corpus: CorpusShape = CorpusShape(),  # noqa: B008 - frozen
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Find masks of everything in images, or follow everything through a video, or do both in a corpus.

    Writes NAME.json (as SA-1B: run lengths, box, predicted IoU, stability and click of every mask) and NAME.overlay.png
    for each image. Masks overlap; in the picture the smallest is on top. An image that cannot be read is named at the
    end, and the exit code is then 1. Of a video, NAME_auto.json (as SA-V: every fourth frame) and what --format says;
    NAME_auto.preview.jpg shows how far it is. A run that is stopped goes on where it was when the same command is given
    again.

    A corpus is a folder or address with movies, folders of frames and images at any depth, or a text file (.txt) with
    a path or address a line. What is complete in the output folder is not done again, so that the same command goes on
    after a stop; what cannot be done is named at the end, and the exit code is then 1.

    Args:
        inputs: Image files; or one video, which is a movie or a folder of frames; or a corpus. With --plan, videos to
            measure, or what --plan --json printed before.
        output: Folder to write into; of a corpus also an address in object storage.
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32.
        fit: How images fill the input: stretch, to the square; letterbox, into it, the aspect kept; native, an input of
            their own aspect with as many pixels; HEIGHTxWIDTH.
        device: cpu, cuda, mps.
        grid: Clicks a side, of a video on its first frame. Further numbers are for crops, of which there are 2 x 2,
            then 4 x 4: 32,16,4. By default 32; for videos 32,16,4, with nano 16,8. The first number is also for
            later frames of a video, where only what nothing covers is asked.
        coarse: Clicks a side of a grid that is asked first; then only what no mask covers is asked by the other.
            Faster, and may miss small objects on large ones.
        least_iou: Keep masks with a higher predicted IoU; by default 0.8, for nano 0.5.
        least_stability: Keep masks that are at least as stable, 0 to 1; by default 0.95, for nano 0.5.
        small_area: Repair holes and specks: in images those of at most so many pixels, counted at a quarter of the
            input's size, by default none; in videos those of fewer pixels of the video, by default 200.
        refine: Give every mask back to the model once; slow.
        hierarchy: Of images also: in NAME.json which mask each is part_of and lies inside (in a hole), by id, and
            NAME.labels.png, 16-bit grey: the id of the smallest mask at each pixel.
        every: Look for new objects in every so many-th frame of a video; by default 24. Scene cuts are looked at, too.
        most_objects: Most objects of a video that are followed at a time; by default 64, with nano 32.
        format: Of a video also: overlay (H.264), objects (a PNG for each object and frame).
        resume: Go on with an unfinished run in the output folder; off, begin anew.
        max_pixels: Refuse larger images.
        ray: Do a corpus on a Ray cluster with this address: auto, local, ray://HOST:PORT. Corpus, output and models
            must be there on all its machines. Workers that die are replaced.
        workers: Do a corpus by so many workers: with --ray by default one for each CPU of the cluster, else this
            process alone. With this or --ray a folder of images is a corpus of images and not a video.
        threads: Of each worker, by default 1; other numbers may change last digits.
        plan: Do not write anything; measure videos and print what a corpus takes.
        corpus: The corpus that is planned.
        json: Print the plan as JSON.
        quiet: No progress bar and no summary.
    """
    from ..inference.automatic import AutomaticOptions
    from ..inference.masklet_options import MaskletOptions

    check_compute(device, image_size)
    grids = None if grid is None else _grids(grid)
    masks: dict[str, Any] = {"coarse": coarse, "refine": refine, "fit": fitting(fit)}
    masks |= _given(least_iou=least_iou, least_stability=least_stability, grids=grids)
    AutomaticOptions(**masks)  # refuses what makes no sense before a model is loaded
    of_videos = _given(every=every, most_objects=most_objects)
    later = _given(small_area=small_area, later_grid=None if grids is None else grids[0])
    formats = tuple(dict.fromkeys(format))
    spread = ray is not None or workers is not None
    chosen = ModelChoice(model, image_size, device)
    if is_corpus(inputs, spread) or plan:
        MaskletOptions(**of_videos, **later)
        named = str(Path(model).absolute()) if Path(model).is_file() else model  # workers have other working folders
        out = output if "://" in output else str(Path(output).absolute())
        chosen, threads = replace(chosen, name=named), 1 if threads is None else threads
        work = CorpusWork(
            out, formats, chosen, masks, of_videos | later, small_area, max_pixels, threads, nested=hierarchy
        )
        if plan:
            auto_plan.run(inputs, work, corpus, json)
            return 0
        return auto_corpus.run(inputs[0], work, ray=ray, workers=workers, resume=resume, quiet=quiet)
    if json:
        raise ValueError("got --json, which is for --plan: leave it out")
    if threads is not None:
        raise ValueError("got --threads, which is for a corpus and for --plan: leave it out")
    paths = [Path(text) for text in inputs]
    if is_video(paths):
        if hierarchy:
            raise ValueError("got --hierarchy, which is for images, with a video")
        files = VideoFiles(paths[0], Path(output), formats)
        auto_video.run(VideoJob(files, chosen, masks, of_videos | later, resume, max_pixels, quiet))
        return 0
    if of_videos or format or not resume:
        named = next(iter(of_videos), "format" if format else "no-resume").replace("_", "-")
        raise ValueError(f"got --{named}, which is for videos, with images")
    masks |= _given(small_area=small_area)
    return auto_image.run(ImageJob(tuple(paths), Path(output), chosen, masks, max_pixels, quiet, hierarchy))


def _given(**values: Any) -> dict[str, Any]:
    """Those that a user gave."""
    return {name: value for name, value in values.items() if value is not None}


def _grids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"got --grid {text}, expected clicks a side, as in 32 or 32,16,4") from None
