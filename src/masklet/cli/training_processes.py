"""The processes of a training run: starting them, ending them, and what each of them does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model.sam2 import Sam2
    from ..training.recipe import Recipe
    from .validation import Scorer


def make_fabric(processes: int, device: str, precision: Any, sharded: bool) -> Any:
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


def launch(fabric: Any, recipe: Recipe, out: Path, processes: int, *rest: Any) -> None:
    """Start the processes, pass a wish to end on to them, and wait until they have saved.

    Raises:
        RuntimeError: One of several processes failed; the message is that of the first one.
    """
    import multiprocessing
    import signal

    from torch.multiprocessing.spawn import ProcessRaisedException

    if processes == 1:
        _work(fabric, recipe, out, 0, *rest)
        return
    try:
        fabric.launch(_Work(recipe, out, os.getpid(), rest))
    except ProcessRaisedException as error:  # its text is a traceback, the last line of which is the message
        reason = str(error).strip().splitlines()[-1]
        raise RuntimeError(f"training process {error.error_index} failed: {reason}") from error
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
