"""``masklet auto --plan``: what a corpus will take, from a short run on some of its videos."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, fields, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .auto_corpus import CorpusWork
from .auto_progress import duration

if TYPE_CHECKING:
    from ..inference.automatic_masklets import AutomaticMasklets
    from ..inference.corpus_plan import CorpusPlan, CorpusShape, Measured

Clock = Callable[[], float]
FRAMES = 25
"""Of each video that is measured: with ``every`` 24, one keyframe besides the first."""


def run(given: list[str], work: CorpusWork, corpus: CorpusShape, as_json: bool) -> None:
    """Measure, or read what was measured before, and print the plan."""
    from ..inference.corpus_plan import plan

    measured = _read(Path(given[0])) if given[0].endswith(".json") else measure(given, work)
    found = plan(measured, corpus)
    if as_json:
        values = {"measured": asdict(measured), "corpus": asdict(corpus), "plan": asdict(found)}
        values["plan"] = {name: None if value == math.inf else value for name, value in values["plan"].items()}
        print(json.dumps(values, indent=1))
        return
    rows = _rows(measured, corpus, found)
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows))


def measure(given: Sequence[str], work: CorpusWork) -> Measured:
    """Follow everything through the first frames of some videos, and then one object only: the rest is of objects.

    On a CPU the clock is processor time by thread, so that other work on the machine does not count.

    Args:
        given: Paths of videos.
        work: How.

    Raises:
        ValueError: A video cannot be read, has a single frame, or nothing is found in any.
        OSError: One is not there.
    """
    from ..inference.automatic_masklets import AutomaticMasklets
    from ..inference.corpus_plan import Measured

    def processor() -> float:
        return time.process_time() / work.threads

    clock = processor if work.model.device == "cpu" else time.perf_counter
    _, generator = work.generators()
    start = time.process_time()  # since this process began, so that imports count
    alone = AutomaticMasklets(generator.model, replace(generator.options, most_objects=1))
    found = [_measure_one(Path(text), generator, alone, work.max_pixels, clock) for text in given]
    means = {name: fmean(one[name] for one in found) for name in found[0]}
    if not means["objects"]:
        raise ValueError("nothing was found in these videos, so that there is nothing to plan: take others")
    per_object = max(0.0, (means["later"] - means["later_alone"]) / max(means["objects"] - means["alone"], 1e-9))
    return Measured(
        start_seconds=start,
        first_seconds=means["first"],
        frame_seconds=max(0.0, means["later"] - means["objects"] * per_object) + means["decode"],
        object_seconds=per_object,
        decode_seconds=means["decode"],
        mask_bytes=means["mask_bytes"],
        frame_bytes=means["frame_bytes"],
        objects=means["objects"],
        worker=f"{work.model.name}, {work.model.device}, threads: {work.threads}",
    )


def _measure_one(
    path: Path, generator: AutomaticMasklets, alone: AutomaticMasklets, max_pixels: int, clock: Clock
) -> dict[str, float]:
    from ..video.frames import open_source

    with open_source(path, max_pixels=max_pixels) as source:
        if source.length is None or source.length < 2:
            raise ValueError(f"{path} has {source.length} frames, expected at least 2 to measure")
        began = clock()
        frames = [source.frame(t) for t in range(min(FRAMES, source.length))]
        decode = (clock() - began) / len(frames)
        frame_bytes = sum(Path(file).stat().st_size for file in source.files) / source.length
    times, living, mask_bytes = _follow(generator, frames, clock)
    times_alone, living_alone, _ = _follow(alone, frames, clock)
    return {
        "first": times[0] + decode,
        "later": fmean(times[1:]),
        "objects": fmean(living[:-1]),
        "later_alone": fmean(times_alone[1:]),
        "alone": fmean(living_alone[:-1]),
        "decode": decode,
        "mask_bytes": mask_bytes,
        "frame_bytes": frame_bytes,
    }


def _follow(generator: AutomaticMasklets, frames: Any, clock: Clock) -> tuple[list[float], list[int], float]:
    """Seconds of each frame, objects that live after it, and bytes of the results for each mask that they hold."""
    from ..inference.masklets import STEP

    times, living, held, last, masklets = [], [], 0, clock(), None
    with closing(generator.stream(frames)) as steps:  # pyright: ignore[reportArgumentType]
        for step in steps:
            masklets = step.masklets
            if masklets is None:
                times.append(clock() - last)
                living.append(len(step.living))
                held += len(step.masks) if step.frame % STEP == 0 else 0
                last = clock()
    assert masklets is not None
    with masklets, TemporaryDirectory(prefix="masklet-") as folder:
        size = masklets.write_sa_v(folder, "measured").stat().st_size
    return times, living, size / held if held else 0.0


def _read(path: Path) -> Measured:
    """What was measured before: a plan as ``--json`` prints it, or only its part ``measured``."""
    from ..inference.corpus_plan import Measured

    try:
        values = json.loads(path.read_bytes())
        values = values.get("measured", values)
        return Measured(**values)
    except (ValueError, TypeError, AttributeError) as error:
        names = ", ".join(one.name for one in fields(Measured))
        raise ValueError(f"{path} holds no measurement ({error}): expected an object of {names}") from error


def _rows(measured: Measured, corpus: CorpusShape, found: CorpusPlan) -> list[tuple[str, str]]:
    objects = measured.objects if corpus.objects is None else corpus.objects
    frame = measured.frame_seconds + objects * measured.object_seconds
    times = "more than any" if found.decoded_workers == math.inf else f"{found.decoded_workers:.0f}"
    return [
        ("measured", measured.worker or "given"),
        (
            "corpus",
            f"{corpus.videos:,} videos of {corpus.seconds:g} s at {corpus.fps:g} frames/s: {found.frames:,} frames",
        ),
        ("objects a video", f"{objects:.1f}"),
        ("first frame", f"{measured.first_seconds:.2f} s"),
        (
            "each later frame",
            f"{frame:.3f} s: {measured.frame_seconds:.3f}, and {measured.object_seconds:.4f} an object",
        ),
        ("a video", f"{duration(found.video_seconds)} of one worker"),
        ("done again after kills", f"{100 * found.repeated:.2f} % (a worker lives {corpus.kill_hours:g} h)"),
        ("all work", f"{found.worker_days:,.0f} worker days"),
        ("workers", f"{found.workers:,}"),
        ("days", f"{found.days:.1f}"),
        ("longest video", f"{found.tail_hours:.1f} h ({corpus.longest:g} s long)"),
        ("handed out", f"{found.videos_a_second:.2f} videos/s"),
        ("decoding", f"{100 * found.decode_share:.1f} % of a worker; a model {times} times as fast would wait for it"),
        ("a masklet", f"{found.masklet_bytes:,.0f} bytes"),
        ("results", f"{size(found.result_bytes)} in {found.results:,} files"),
        ("videos read", size(found.read_bytes)),
        ("requests", f"{found.requests:,} to an object store"),
        ("list of videos", f"{size(found.list_bytes)} in the process that hands out"),
    ]


def size(count: int | float) -> str:
    """Bytes for people."""
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:,.1f} {unit}"
    return f"{count:.0f} bytes"
