"""``masklet eval``: score a tracker, or predictions on disk, and write reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from .compute import FitText, check_compute, fitting
from .subjects import FLOORS, Policy, SubjectChoice

if TYPE_CHECKING:
    from ..data.records import VideoDataset
    from ..evaluation.rules import Seen
    from ..evaluation.runs import Pool, Unit
    from ..evaluation.suites import Suite
    from ..evaluation.work import Work

RECORD, MASKS, SPEED = "run.json", "masks", "speed"
PASSES = 25  # of the official benchmark, 5 of them to warm up
Texts = Annotated[list[str], tyro.conf.UseAppendAction]


def evaluate(
    suite: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SUITE")],
    /,
    data: str,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    tracker: str = "nano",
    predictions: Path | None = None,
    layout: Annotated[str, tyro.conf.arg(metavar="merged|objects")] = "merged",
    prompt: Texts = [],  # noqa: B006 - tyro reads the default, nothing changes it
    videos: int | None = None,
    names: Path | None = None,
    masks_per_image: int | None = None,
    format: str | None = None,
    split: str | None = None,
    unseen: Path | None = None,
    image_size: int | None = None,
    fit: FitText = "stretch",
    policy: Policy = "default",
    device: str = "cpu",
    workers: int = 0,
    threads: int = 1,
    ray: str | None = None,
    beside: Annotated[list[Path], tyro.conf.UseAppendAction] = [],  # noqa: B006
    compare: Path | None = None,
    passes: int = PASSES,
    quiet: bool = False,
) -> int:
    """Score a tracker, or predictions on disk, and write reports.

    Writes run.json (every video, object and frame), report.md, report.html (one page that loads nothing) and masks/
    (what was tracked, as the servers of benchmarks take it). The same command goes on with what was stopped; results
    do not depend on the number of workers.

    Args:
        suite: vos, interactive, images, automatic, davis16, davis17, youtube_vos, mose, lvos_v1, lvos_v2, sa_v, vost;
            speed.
        data: Folder or address of the videos or images, in any format of masklet data check.
        output: Folder to write into.
        tracker: Name, Hugging Face id or file of a model; copy-first, optical-flow (masks only); MODEL+copy-first,
            MODEL+optical-flow (the model answers clicks); official:MODEL, transformers:MODEL (their code with the
            weights of a model).
        predictions: Folder of predictions to be scored instead of a tracker.
        layout: How predictions lie and masks are written: merged (a label map a frame) or objects (a folder an object).
        prompt: mask, box, "1 click", "3 clicks" or "5 clicks" instead of those of the suite; may be repeated.
        videos: Take the first so many only.
        names: Text file, a line each: take only these videos or images.
        masks_per_image: Of the suites images and automatic: score at most so many masks of an image, always the same.
        format: Of the data, where it is not recognised.
        split: Of the data.
        unseen: Text file, a line each: categories (youtube_vos) or videos (lvos_v2) that no training set has.
        image_size: Side of the model's input.
        fit: How frames fill the input: stretch, to the square; letterbox, into it, the aspect kept; native, an input of
            the frames' own aspect with as many pixels; HEIGHTxWIDTH.
        policy: Session options: default; official, as the official predictor; benchmark, without post-processing;
            override or barrier, how corrections take effect.
        device: cpu, cuda, mps.
        workers: Processes; 0: one a core. With --ray: actors; 0: one for each CPU of the cluster.
        threads: Of each of them.
        ray: Address of a Ray cluster: auto, local, ray://HOST:PORT. DATA, OUTPUT and models must be there on all its
            machines.
        beside: run.json of another run, to stand in the same tables; may be repeated.
        compare: run.json of a run on the same videos, for paired tests.
        passes: Of the suite speed: times that the first video is tracked, a fifth of them to warm up.
        quiet: No line for each result.
    """
    from ..data.open import open_dataset
    from ..data.paths import data_path, read_lines
    from ..evaluation.reports.run_record import RunRecord, read_run, write_run
    from ..evaluation.rules import RULES, summarise
    from ..evaluation.runs import run_units
    from ..evaluation.suites import PREDICTIONS, SUITES, units_of
    from ..evaluation.work import Work, gather

    _check(suite, masks_per_image)
    if layout not in ("merged", "objects"):
        raise ValueError(f"got --layout {layout}, expected merged or objects")
    others, compared = [read_run(path) for path in beside], None if compare is None else read_run(compare)
    check_compute(device, image_size)
    fitting(fit)
    dataset, output = open_dataset(data, format, split), output.absolute()
    choice = SubjectChoice(tracker, image_size, fit, policy, device, threads)
    masks, scored = str(output / MASKS), None
    if suite == SPEED:
        return _time(choice, dataset, passes, output, others)
    asked = SUITES[suite]
    seen = _seen(asked, dataset, unseen)
    if predictions is None:
        groups = _groups(asked, tracker, tuple(prompt))
    else:
        choice, masks, scored, groups = None, None, str(predictions.absolute()), (PREDICTIONS,)
    units = units_of(groups, dataset, videos, None if names is None else read_lines(data_path(names)))
    work = Work(data, choice, asked.rule, asked.later, format, split, masks, layout, scored, masks_per_image)
    if predictions is not None:
        _look_through(dataset, predictions, work)
    settings = _settings(suite, groups, work, choice)
    results = _finished(run_units(units, work, output, settings, _pool(workers, ray)), len(units), quiet)
    found = gather(results, Path(data).name)
    record = RunRecord(
        suite=suite,
        tracker=tracker if predictions is None else predictions.name,
        settings=settings,
        hardware=_hardware(device, threads),
        vos=found.vos,
        interactive=found.interactive,
        images=found.images,
        automatic=found.automatic,
        headlines={name: summarise(RULES[asked.rule], score, seen) for name, score in found.vos.items()},
        data=data,
    )
    write_run(record, output / RECORD)
    _write_reports([record, *others], compared, dataset, work, output)
    print(f"{output}: {RECORD}, report.md, report.html")
    return 0


def _check(suite: str, masks_per_image: int | None) -> None:
    from ..evaluation.suites import SUITES

    if suite not in (*SUITES, SPEED):
        raise ValueError(f"there is no suite {suite!r}: expected one of {', '.join((*SUITES, SPEED))}")
    if masks_per_image is not None and masks_per_image < 1:
        raise ValueError(f"got --masks-per-image {masks_per_image}, expected at least 1")


def _groups(suite: Suite, tracker: str, prompt: tuple[str, ...]) -> tuple[str, ...]:
    """What is asked of a tracker: of the suite, or what the user chose; floors take masks alone."""
    floor = tracker in FLOORS
    groups = prompt or (("mask",) if floor and "mask" in suite.groups else suite.groups)
    if floor and set(groups) != {"mask"}:
        raise ValueError(f"{tracker} takes nothing but masks, got {', '.join(groups)}: leave --prompt out")
    return groups


def _time(choice: SubjectChoice, dataset: VideoDataset, passes: int, output: Path, others: Sequence[Any]) -> int:
    """The suite ``speed``: frames and images a second on the first video, in this process alone."""
    from ..evaluation.reports.run_record import RunRecord, write_run
    from ..evaluation.speed import IMAGE_BATCH, Conditions, segmenting_speed, tracking_speed
    from ..interaction.clicks import center_click
    from ..tracker import ImageBatchSegmenter

    video, subject, warm_up = dataset[0], choice(), passes // 5
    shown = video.masks(0) if 0 in video.annotated else {}
    if subject.tracker is None or not shown:
        raise ValueError(f"the first frame of {video.name} has no mask to click on: take another data set")
    click, _ = center_click(next(iter(shown.values())))
    with_ = Conditions(choice.device)
    speeds = {
        "frames a second": tracking_speed(
            subject.tracker, video.images, click=click, warm_up=warm_up, passes=passes, conditions=with_
        )
    }
    if subject.segmenter is not None:
        images = [video.image(t) for t in range(min(IMAGE_BATCH, video.frame_count))]
        batches = {"images a second": 1}
        if isinstance(subject.segmenter, ImageBatchSegmenter):
            batches[f"images a second, batch {IMAGE_BATCH}"] = IMAGE_BATCH
        for name, batch in batches.items():
            speeds[name] = segmenting_speed(
                subject.segmenter, images, batch=batch, warm_up=warm_up, passes=passes, conditions=with_
            )
    for speed in speeds.values():
        print(speed)
    record = RunRecord(
        suite=SPEED,
        tracker=choice.name,
        settings={**asdict(choice), "passes": passes, "warm up": warm_up, "video": video.name},
        hardware=_hardware(choice.device, choice.threads),
        speed={name: speed.median for name, speed in speeds.items()},
        data=dataset.root,
    )
    write_run(record, output / RECORD)
    _write_reports([record, *others], None, dataset, None, output)
    return 0


def _settings(suite: str, groups: Sequence[str], work: Work, choice: SubjectChoice | None) -> dict[str, Any]:
    """All that results depend on; a run goes on only with the same."""
    import hashlib

    from .. import __version__

    values = {"masklet": __version__, "suite": suite, "prompts": ", ".join(groups), **asdict(work)}
    subject = values.pop("subject")
    if choice is not None:
        values |= {"tracker": subject.pop("name"), **subject}
        weights = Path(choice.weights)
        if weights.is_file():
            values["weights"] = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    return {key: value for key, value in values.items() if value is not None and key != "masks"}


def _seen(suite: Suite, dataset: VideoDataset, unseen: Path | None) -> Seen | None:
    """Which objects are of seen categories, for the two benchmarks that report them apart."""
    import json

    from ..data.paths import data_path
    from ..evaluation.rules import seen_by_category

    if suite.rule not in ("youtube_vos", "lvos_v2"):
        return None
    if unseen is None:
        what = "the categories" if suite.rule == "youtube_vos" else "the videos"
        raise ValueError(f"{suite.rule} reports seen and unseen apart: name {what} that are unseen with --unseen FILE")
    lines = {line.strip() for line in unseen.read_text().splitlines() if line.strip()}
    if suite.rule == "youtube_vos":
        return seen_by_category(json.loads((data_path(dataset.root) / "meta.json").read_bytes()), lines)
    return {(v.name, o): v.name not in lines for v in dataset for t in v.annotated for o in v.objects(t)}


def _look_through(dataset: VideoDataset, predictions: Path, work: Work) -> None:
    """Refuse predictions in which something is wrong before any is scored, and say all of it."""
    from ..evaluation.prediction_check import check_predictions
    from ..evaluation.rules import RULES

    found = check_predictions(dataset, predictions, RULES[work.rule], work.layout)
    for note in found.notes:
        print(f"note: {note.file}: {note.fault}", file=sys.stderr)
    for fault in found.faults:
        print(f"{fault.file}: {fault.fault}", file=sys.stderr)
    if found.faults:
        raise ValueError(f"{len(found.faults)} faults in these predictions (listed above): nothing is scored")


def _pool(workers: int, ray: str | None) -> Pool:
    from ..evaluation.ray_pool import RayPool
    from ..evaluation.runs import Processes, ThisProcess

    if workers < 0:
        raise ValueError(f"got --workers {workers}, expected 0 (as many as fit) or more")
    if ray is not None:
        return RayPool(ray, workers or None)
    count = workers or os.cpu_count() or 1
    return ThisProcess() if count == 1 else Processes(count)


def _finished(results: Any, count: int, quiet: bool) -> list[tuple[Unit, Any]]:
    """All results; if some are missing, all that is wrong is said and there are none."""
    good: list[tuple[Unit, Any]] = []
    faults: list[str] = []
    for done in results:
        said = f"{done.unit.group}, {done.unit.name}"
        if done.fault is None:
            good.append((done.unit, done.result))
        else:
            faults.append(f"{said}: {done.fault}")
        if not quiet:
            print(f"{len(good) + len(faults)}/{count} {said}{'' if done.fault is None else ': FAULT'}", flush=True)
    if faults:
        print("\n".join(faults), file=sys.stderr)
        raise ValueError(
            f"{len(faults)} of {count} results are missing (listed above), so there is no report: mend the data and "
            "give the same command again; what was finished is kept"
        )
    return good


def _hardware(device: str, threads: int) -> str:
    import torch

    from ..evaluation.hardware import hardware

    torch.set_num_threads(threads)
    return str(hardware(device))


def _write_reports(
    records: Sequence[Any], compared: Any, dataset: VideoDataset, work: Work | None, output: Path
) -> None:
    from ..evaluation.reports.markdown import markdown_report
    from ..evaluation.reports.page import report_page
    from ..video.atomic import write_bytes
    from .report_pictures import ReportPictures

    pictures = None
    if work is not None:
        where = work.masks or work.predictions
        pictures = ReportPictures(dataset, None if where is None else Path(where), work.layout, flat=work.masks is None)
    write_bytes(output / "report.md", markdown_report(records, compared).encode())
    write_bytes(output / "report.html", report_page(records, pictures, compared).encode())
