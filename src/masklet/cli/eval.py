"""``masklet eval``: score a tracker, or predictions on disk, and write reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from .compute import check_compute
from .subjects import FLOORS, Policy, SubjectChoice

if TYPE_CHECKING:
    from ..data.records import VideoDataset
    from ..evaluation.gallery import Shot
    from ..evaluation.runs import Pool, Unit
    from ..evaluation.suites import Suite
    from ..evaluation.work import Work

RECORD, TABLES, PAGE, MASKS = "run.json", "report.md", "report.html", "masks"


def evaluate(
    suite: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SUITE")],
    /,
    data: str,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    tracker: str = "nano",
    predictions: Path | None = None,
    layout: Annotated[str, tyro.conf.arg(metavar="merged|objects")] = "merged",
    prompts: list[str] = [],  # noqa: B006 - tyro reads the default, nothing changes it
    videos: int | None = None,
    format: str | None = None,
    split: str | None = None,
    image_size: int | None = None,
    policy: Policy = "default",
    device: str = "cpu",
    workers: int = 0,
    threads: int = 1,
    ray: str | None = None,
    beside: list[Path] = [],  # noqa: B006
    compare: Path | None = None,
    quiet: bool = False,
) -> int:
    """Score a tracker, or predictions on disk, and write reports.

    Writes run.json (every video, object and frame), report.md, report.html (one page, no network) and masks/ (what was
    tracked, as the servers of benchmarks take it). The same command goes on with what was stopped; results do not
    depend on the number of workers.

    Args:
        suite: vos, interactive, images, davis16, davis17, youtube_vos, mose, lvos_v1, lvos_v2, sa_v, vost.
        data: Folder or address of the videos or images, in any format of masklet data check.
        output: Folder to write into.
        tracker: Name, Hugging Face id or file of a model; copy-first, optical-flow; official:MODEL, transformers:MODEL.
        predictions: Folder of predictions to score, instead of a tracker.
        layout: How predictions lie and masks are written: merged (a label map a frame) or objects (a folder an object).
        prompts: Some of mask, box, "1 click", "3 clicks", "5 clicks", instead of those of the suite.
        videos: Take the first so many only.
        format: Of the data, where it is not recognised.
        split: Of the data.
        image_size: Side of the model's input.
        policy: Session options: default; official, as the official predictor; benchmark, without post-processing.
        device: cpu, cuda, mps.
        workers: Processes; 0: one a core. With --ray: actors, 0: one for each CPU of the cluster.
        threads: Of each of them.
        ray: Address of a Ray cluster (auto, local, ray://...). Data, models and OUTPUT must be there for all machines.
        beside: run.json of other runs, to be shown in the same tables.
        compare: run.json of a run on the same videos, for paired tests.
        quiet: No progress.
    """
    from ..data.open import open_dataset
    from ..evaluation.rules import RULES, summarise
    from ..evaluation.run_record import RunRecord, read_run, write_run
    from ..evaluation.runs import run_units
    from ..evaluation.speed import hardware
    from ..evaluation.suites import PREDICTIONS, SUITES, units_of
    from ..evaluation.work import Work, gather

    if suite not in SUITES:
        raise ValueError(f"there is no suite {suite!r}: expected one of {', '.join(SUITES)}")
    others, compared = [read_run(path) for path in beside], None if compare is None else read_run(compare)
    check_compute(device, image_size)
    asked, dataset = SUITES[suite], open_dataset(data, format, split)
    groups = (PREDICTIONS,) if predictions is not None else tuple(prompts) or _groups(asked, tracker)
    units = units_of(groups, dataset, videos)
    choice = None if predictions is not None else SubjectChoice(tracker, image_size, policy, device, threads)
    output = output.absolute()
    work = Work(
        data,
        choice,
        asked.rule,
        asked.later,
        format,
        split,
        None if choice is None else str(output / MASKS),
        _layout(layout),
        None if predictions is None else str(predictions.absolute()),
    )
    if predictions is not None:
        _look_through(dataset, predictions, asked, work)
    settings = _settings(suite, tracker, work, choice, groups)
    results: list[tuple[Unit, Any]] = []
    faults: dict[Unit, str] = {}
    for done in run_units(units, work, output, settings, _pool(workers, ray, device)):
        if done.fault is None:
            results.append((done.unit, done.result))
        else:
            faults[done.unit] = done.fault
        if not quiet:
            said = "" if done.fault is None else f": {done.fault}"
            print(f"{len(results) + len(faults)}/{len(units)} {done.unit.group}, {done.unit.name}{said}", flush=True)
    if faults:
        lines = [f"  {unit.group}, {unit.name}: {text}" for unit, text in faults.items()]
        print("\n".join(["", "faults:", *lines]), file=sys.stderr)
        raise ValueError(
            f"{len(faults)} of {len(units)} results are missing, so there is no report: mend the data (or leave these "
            "videos out) and give the same command again; what was finished is kept"
        )
    found = gather(results, suite if dataset.stills else f"first frames of {Path(data).name}")
    rule = RULES[asked.rule]
    record = RunRecord(
        suite=suite,
        tracker=tracker if predictions is None else Path(predictions).name,
        settings=settings,
        hardware=hardware(),
        vos=found.vos,
        interactive=found.interactive,
        images=found.images,
        headlines={prompt: summarise(rule, score, _seen(asked, dataset)) for prompt, score in found.vos.items()},
        data=data,
    )
    write_run(record, output / RECORD)
    print(_reports([record, *others], compared, dataset, output, predictions))
    return 0
