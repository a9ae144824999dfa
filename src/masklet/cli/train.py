"""``masklet train``: run a recipe."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from .compute import check_compute
from .validation import Scorer, make_scorer

if TYPE_CHECKING:
    from ..model.sam2 import Sam2
    from ..training.recipe import Recipe

Texts = Annotated[list[str], tyro.conf.arg(metavar="FIELD=VALUE"), tyro.conf.UseAppendAction]


def train(
    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")],
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    data: str | None = None,
    set: Texts = [],  # noqa: B006 - tyro reads the default, nothing changes it
    processes: int = 1,
    workers: int = 0,
    device: str = "cpu",
    precision: str = "32-true",
    validate: str | None = None,
    validate_videos: int | None = None,
    validate_every: int = 0,
    save_minutes: float = 2.0,
    half: bool = False,
    show: bool = False,
    smoke: bool = False,
    plan: bool = False,
    gpus: int = 1,
    gpu_memory: float = 80.0,
    gpu_tflops: float = 312.0,
    utilisation: float = 0.05,
    sharded: bool = False,
    quiet: bool = False,
) -> int:
    """Train a model by a recipe; the same command goes on with a run that was stopped.

    Writes checkpoint.pt (to go on from), weights.safetensors (for --model), recipe.json, log.txt, samples.png (answers
    filled, truth outlined) and curves/ (for TensorBoard) into the output folder. Ctrl-C saves and ends.

    Args:
        recipe: Name of a recipe: images, videos, clips-from-images (nano, on a data set of your own), nano,
            nano-further, sa-1b, full, long-clips, mose.
        output: Folder of the run.
        data: Folder or address of the training data; see masklet data check.
        set: A field of the recipe to change, such as optimisation.rate=1e-4, start=FILE or minutes=30.
        processes: Processes that average their gradients, one a device; batch sizes stay those of the recipe.
        workers: Processes that make batches, for each of them.
        device: cpu, cuda, mps.
        precision: As in Lightning Fabric: 32-true, bf16-mixed, 16-mixed.
        validate: Images or videos with masks that were held back, scored before and after: mean IoU after 1 click,
            3 clicks and a box (videos: on first frames, without the box); J and F from the first-frame mask and clicks.
        validate_videos: Score the first so many videos only.
        validate_every: Steps between further validations and pictures of samples.
        save_minutes: Processor time between checkpoints.
        half: Save the weights in half precision.
        show: Print the recipe and end.
        smoke: Try the recipe out: a few steps, tiny inputs, made-up data, random weights.
        plan: Print what the recipe costs on GPUs, and end.
        gpus: Of --plan.
        gpu_memory: Of --plan: GB of each.
        gpu_tflops: Of --plan: peak of each; 312 is an A100 in bf16.
        utilisation: Of --plan: share of the peak that training reaches; the paper's run reached 0.05.
        sharded: Weights, gradients and moments spread over the processes (FSDP), or in --plan over the GPUs.
        quiet: No lines while training.
    """
    import json

    from ..training.recipe import override
    from ..training.recipes import RECIPES
    from ..training.recipes.smoke import smoke as made_small

    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {recipe!r}: expected one of {', '.join(RECIPES)}")
    check_compute(device, None)
    if processes < 1 or workers < 0:
        raise ValueError(f"expected at least 1 process and 0 workers, got {processes} and {workers}")
    if data is None and not (smoke or plan or show):
        raise ValueError("expected --data DIR, the training data, or --smoke to try the recipe out without any")
    if output is None and not (plan or show):
        raise ValueError("expected -o DIR, the folder of the run")
    chosen = RECIPES[recipe](data or "")
    chosen = override(made_small(chosen) if smoke else chosen, dict(change(text) for text in set))
    if show:
        print(json.dumps(chosen.described(), indent=1))
        return 0
    if plan:
        _print_plan(chosen, gpus, gpu_memory, gpu_tflops, utilisation, precision, sharded)
        return 0
    if data is not None and "://" not in data and not Path(data).exists():
        raise FileNotFoundError(f"--data {data} does not exist: give the folder with the training data")
    scorer = None if validate is None else make_scorer(validate, validate_videos)
    assert output is not None
    output = output.absolute()
    fabric = _fabric(processes, device, precision, sharded)
    if not quiet:
        _print_outlook(chosen, processes, device, precision, sharded, workers)
    output.mkdir(parents=True, exist_ok=True)
    _launch(fabric, chosen, output, processes, workers, 60 * save_minutes, scorer, validate_every, half, quiet)
    return 0


def change(text: str) -> tuple[str, str]:
    """The field and the value of a ``--set``."""
    field, equals, value = text.partition("=")
    if not equals or not field:
        raise ValueError(f"--set takes FIELD=VALUE such as optimisation.rate=1e-4, got {text!r}")
    return field.strip(), value.strip()


def _print_plan(
    recipe: Recipe, gpus: int, memory: float, tflops: float, utilisation: float, precision: str, sharded: bool
) -> None:
    from ..training.estimate import Hardware, plan

    if gpus < 1 or min(memory, tflops, utilisation) <= 0:
        raise ValueError(
            f"expected GPUs with memory, speed and use above 0, got {gpus}, {memory}, {tflops}, {utilisation}"
        )
    name, model = _start_of(recipe)
    hardware = Hardware(gpus, 1e9 * memory, 1e12 * tflops, utilisation, precision != "32-true", sharded)
    print(f"{recipe.name} ({name}) on {gpus} devices")
    for line in plan(recipe, model, hardware).lines():
        print(f"  {line}")


def _print_outlook(recipe: Recipe, processes: int, device: str, precision: str, sharded: bool, workers: int) -> None:
    """Say what a run will take before it starts."""
    from ..training.estimate import Hardware, memory_of, outlook, plan

    hardware = Hardware(processes, memory_of(device), half=precision != "32-true", sharded=sharded)
    _, model = _start_of(recipe)
    lines, warning = outlook(recipe, plan(recipe, model, hardware), not device.startswith("cuda"), workers)
    for line in lines:
        print(line, flush=True)
    if warning is not None:
        print(f"warning: {warning}", file=sys.stderr, flush=True)


def _start_of(recipe: Recipe) -> tuple[str, Sam2]:
    """The name of what a run starts from, and a model of that shape, frozen as the recipe says."""
    from ..checkpoints.registry import REGISTRY
    from ..model.sam2 import build
    from ..training.initial import starting_model
    from ..training.loop import prepared

    name = "sam2.1_hiera_base_plus" if recipe.start == "sa-1b/weights.safetensors" else recipe.start
    config = REGISTRY[name].config if name in REGISTRY else recipe.model
    return name, prepared(recipe, starting_model(recipe.start) if config is None else build(config))


def _fabric(processes: int, device: str, precision: Any, sharded: bool) -> Any:
    """Fabric before it starts its processes."""
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    from ..training.sharding import sharded_fabric

    kind, _, index = device.partition(":")
    if sharded:
        return sharded_fabric(kind, processes, precision)
    if processes == 1:
        return Fabric(accelerator=kind, devices=[int(index)] if index else 1, precision=precision)
    backend = "nccl" if kind == "cuda" else "gloo"
    strategy = DDPStrategy(start_method="spawn", process_group_backend=backend, find_unused_parameters=True)
    return Fabric(accelerator=kind, devices=processes, strategy=strategy, precision=precision)


def _launch(fabric: Any, recipe: Recipe, out: Path, processes: int, *rest: Any) -> None:
    """Start the processes, pass a wish to end on to them, and wait until they have saved."""
    import multiprocessing
    import signal

    if processes == 1:
        _work(fabric, recipe, out, 0, *rest)
        return
    try:
        fabric.launch(_Work(recipe, out, os.getpid(), rest))
    except KeyboardInterrupt:
        for child in multiprocessing.active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGTERM)
        for child in multiprocessing.active_children():
            child.join()
        raise


class _Work:
    """What each process is sent; opaque, because Fabric looks for models in arguments and stops at frozen ones."""

    def __init__(self, recipe: Recipe, out: Path, parent: int, rest: tuple[Any, ...]) -> None:
        self.recipe, self.out, self.parent, self.rest = recipe, out, parent, rest

    def __call__(self, fabric: Any) -> None:
        _work(fabric, self.recipe, self.out, self.parent, *self.rest)


def _work(
    fabric: Any,
    recipe: Recipe,
    out: Path,
    parent: int,
    workers: int,
    save_every: float,
    scorer: Scorer | None,
    validate_every: int,
    half: bool,
    quiet: bool,
) -> None:
    """One process of a run."""
    import logging
    import signal
    import threading
    import warnings
    from contextlib import ExitStack

    import torch

    from ..training.initial import starting_model
    from ..training.logbook import Logbook
    from ..training.loop import train
    from ..training.overlays import sample_sheet
    from ..training.state import CHECKPOINT

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    wishes: list[int] = []
    if fabric.world_size > 1:
        warnings.filterwarnings(
            "ignore", "Grad strides do not match bucket view strides"
        )  # depthwise kernels; harmless
    if fabric.world_size > 1 and fabric.device.type == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // fabric.world_size))
    shown: list[Any] = []

    def look(model: Sam2) -> dict[str, float]:
        """Scores, and a picture for the logbook."""
        shown[:] = [sample_sheet(recipe, model)]
        return {} if scorer is None else scorer(model)

    steps = train(
        recipe,
        out,
        fabric=fabric,
        workers=workers,
        save_every=save_every,
        validate=look,
        validate_every=validate_every,
        stop=lambda: bool(wishes) or bool(parent and os.getppid() != parent),
        dtype=torch.float16 if half else torch.float32,
    )
    with ExitStack() as stack:
        book = stack.enter_context(Logbook(out)) if fabric.is_global_zero else None
        if scorer is not None and book is not None and not (out / CHECKPOINT).exists():
            line = book.score(0, scorer(starting_model(recipe.start, recipe.model, recipe.seed).eval()))
            if not quiet:
                print(line, flush=True)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):  # end after the step
                before = signal.signal(number, lambda got, frame: wishes.append(got))
                stack.callback(signal.signal, number, before)
        for report in steps:
            for line in () if book is None else book.add(report):
                if not quiet:
                    print(line, flush=True)
            if shown and book is not None:
                book.show(shown.pop(), report.step)
    if wishes and not parent:
        raise KeyboardInterrupt
