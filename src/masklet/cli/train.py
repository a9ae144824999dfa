"""``masklet train``: run a recipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .compute import check_compute
from .validation import make_scorer

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
            nano-further, ablation, ablation-scratch, sa-1b, full, long-clips, mose.
        output: Folder of the run.
        data: Folder or address of the training data; see masklet data check.
        set: A field of the recipe to change, such as optimisation.rate=1e-4, start=FILE or minutes=30.
        processes: Processes that average their gradients, one a device; batch sizes stay those of the recipe.
        workers: Processes that make batches, for each of them.
        device: cpu, cuda, mps.
        precision: 32-true, or bf16-mixed (weights stay in single precision).
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

    from ..training.loop import check_precision
    from ..training.recipe import override
    from ..training.recipes import RECIPES
    from ..training.recipes.smoke import smoke as made_small
    from .training_processes import launch, make_fabric

    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {recipe!r}: expected one of {', '.join(RECIPES)}")
    check_compute(device, None)
    check_precision(precision)
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
    fabric = make_fabric(processes, device, precision, sharded)
    if not quiet:
        _print_outlook(chosen, processes, device, precision, sharded, workers)
    output.mkdir(parents=True, exist_ok=True)
    launch(fabric, chosen, output, processes, workers, 60 * save_minutes, scorer, validate_every, half, quiet)
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
