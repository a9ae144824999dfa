"""The training loop: devices, processes and precision are Lightning Fabric's; everything learned is in the rollout."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoints.load import load
from ..model.sam2 import Sam2
from .batches import Batch, batches, place_generators, shared_generator
from .distillation import Teacher
from .initial import starting_model
from .lora import add_lora
from .optimisation import Average, freeze, parameter_groups
from .recipe import Recipe, Stage
from .rollout import RolloutConfig, clip_rollout, image_rollout
from .sharding import is_sharded, whole
from .state import CHECKPOINT, TrainState

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = ("32-true", "bf16-mixed")

log = logging.getLogger("masklet.training")


class DivergedError(RuntimeError):
    """A run that no longer learns; its last good checkpoint is kept."""


@dataclass(frozen=True)
class Report:
    """What one step did; means over the processes.

    Attributes:
        step: Steps done, this one included.
        progress: Share of the run that is over.
        kind: ``image`` or ``clip``.
        loss: What was minimised.
        terms: Focal, dice, IoU and presence, each summed over decodings.
        iou_prompted: Mean IoU after the first prompts.
        iou: Mean IoU at the end (images) or while tracking (clips).
        norm: Of the gradient, before clipping.
        rate: Share of the highest learning rate.
        seconds: Processor time of the step.
        waited: Seconds that the step waited for its batch.
        names: Samples of this process.
        skipped: The gradient was not finite: the weights are unchanged.
        scores: Of a validation after this step.
    """

    step: int
    progress: float
    kind: str
    loss: float
    terms: tuple[float, float, float, float]
    iou_prompted: float
    iou: float
    norm: float
    rate: float
    seconds: float
    waited: float
    names: tuple[str, ...]
    skipped: bool
    scores: dict[str, float] | None = None


class Learner(nn.Module):
    """The model with its rollout as one module, which is what processes synchronise.

    Plain values go in and out, because Fabric looks for tensors in them and stops at frozen ones.
    """

    def __init__(self, model: Sam2, config: RolloutConfig, teacher: Teacher | None = None) -> None:
        super().__init__()
        self.model, self.config, self.teacher = model, config, teacher

    def forward(
        self,
        kind: str,
        arrays: dict[str, np.ndarray],
        shared: np.random.Generator,
        places: list[np.random.Generator],
    ) -> tuple[Tensor, list[float]]:
        """Roll a batch out; returns the loss, and it with its four terms and two IoUs as numbers."""
        rollout = clip_rollout if kind == "clip" else image_rollout
        outcome = rollout(self.model, arrays, self.config, shared, places)
        loss = outcome.loss
        if self.teacher is not None:
            loss = loss + self.teacher.loss(kind, arrays, outcome, self.config)
        values = [float(value.detach()) for value in (loss, *outcome.terms.each)]
        return loss, [*values, outcome.iou_prompted, outcome.iou]


def prepared(recipe: Recipe, model: Sam2 | None = None) -> Sam2:
    """The model that a run starts from, frozen where the recipe says so."""
    if model is None:
        model = starting_model(recipe.start, recipe.model, recipe.seed, recipe.drop_path, recipe.dropout)
    if recipe.optimisation.lora.rank:
        add_lora(model, recipe.optimisation.lora, recipe.seed)
    freeze(model, recipe.optimisation.freeze)
    return model


def new_state(recipe: Recipe, model: Sam2) -> TrainState:
    """A run before its first step, of a prepared model where it will be trained."""
    optimisation = recipe.optimisation
    groups = parameter_groups(model, optimisation)
    optimizer = torch.optim.AdamW(groups, lr=optimisation.rate, betas=optimisation.betas)
    average = None if optimisation.average is None else Average(model, optimisation.average)
    return TrainState(model, optimizer, average)


def train(
    recipe: Recipe,
    out: str | os.PathLike[str],
    *,
    fabric: Fabric | None = None,
    workers: int = 0,
    save_every: float = 120.0,
    validate: Callable[[Sam2], dict[str, float]] | None = None,
    validate_every: int = 0,
    stop: Callable[[], bool] = lambda: False,
    model: Sam2 | None = None,
    dtype: torch.dtype = torch.float32,
) -> Iterator[Report]:
    """Train, and yield a report after each step; closing the generator saves and ends.

    A run whose folder holds a checkpoint goes on from it, to the last bit as if it had not stopped (on a CPU).

    Args:
        recipe: What to do.
        out: Folder of ``checkpoint.pt``, ``weights.safetensors`` (for :func:`masklet.load`) and ``recipe.json``.
        fabric: A launched Fabric; None: one process on this machine's CPU.
        workers: Processes that make batches, for each process that trains.
        save_every: Seconds of processor time between checkpoints.
        validate: Called with a copy of the model that the run would give, on the first process.
        validate_every: Steps between validations; 0: at the end alone.
        stop: Asked after each step; when it says yes on any process, all save and end.
        model: What to start from instead of ``recipe.start``.
        dtype: What the weights are saved as.

    Raises:
        ValueError: The recipe or the precision does not fit, or a sample is damaged
            (:class:`~masklet.training.state.ResumeError` for another recipe's checkpoint).
        DivergedError: The loss is not finite or far from usual for ``recipe.patience`` steps in a row.
        RuntimeError: Another process has ended.
        OSError: A checkpoint cannot be written; the one before it is whole.
    """
    out = Path(out)
    fabric = _one_process() if fabric is None else fabric
    check_precision(fabric.strategy.precision.precision)
    loop = _Loop(recipe, out, fabric, prepared(recipe, model), workers, dtype)
    if (out / CHECKPOINT).exists():
        loop.state.load(out / CHECKPOINT, recipe)
        log.info("resumed at step %d after %.1f minutes", loop.state.step, loop.state.spent / 60)
    return loop.run(save_every, validate, validate_every, stop)


def check_precision(precision: str) -> None:
    """Refuse what a run would fail with, and what has not been tried.

    Raises:
        ValueError: It is neither single precision nor bf16 with weights in single precision.
    """
    if precision not in PRECISIONS:  # 16-mixed scales the loss: a step that is skipped would have to tell the scaler
        raise ValueError(f"training takes precision {' or '.join(PRECISIONS)}, got {precision}")


class _Loop:
    def __init__(
        self, recipe: Recipe, out: Path, fabric: Fabric, model: Sam2, workers: int, dtype: torch.dtype
    ) -> None:
        self.recipe, self.out, self.fabric = recipe, out, fabric
        self.workers, self.dtype = workers, dtype
        learner = Learner(model.train(), recipe.rollout, _teacher(recipe, fabric.device))
        self.learner = fabric.setup_module(learner)
        self.state = new_state(recipe, model)  # of the weights where they are now, perhaps slices
        self.optimizer: Any = fabric.setup_optimizers(self.state.optimizer)
        cv2.setNumThreads(0)

    @property
    def progress(self) -> float:
        """Share of the run that is over, by steps or by the clock, whichever is further."""
        steps, minutes = self.recipe.steps, self.recipe.minutes
        by_steps = 0.0 if steps is None else self.state.step / steps if steps else 1.0
        by_clock = 0.0 if minutes is None else self.state.spent / (60 * minutes) if minutes else 1.0
        return max(by_steps, by_clock)

    def run(
        self,
        save_every: float,
        validate: Callable[[Sam2], dict[str, float]] | None,
        validate_every: int,
        stop: Callable[[], bool],
    ) -> Iterator[Report]:
        """All steps that are left."""
        saved, last = self.state.spent, time.process_time()
        stage: Stage | None = None
        stream: Iterator[Batch] | None = None
        stopped = 0.0
        try:
            while self.progress < 1 and not stopped:
                if stage is not self.recipe.stage(self.progress):
                    stage = self.recipe.stage(self.progress)
                    stream = self._stream(stage)
                assert stream is not None
                asked = time.perf_counter()
                ready = [next(stream) for _ in range(self.recipe.optimisation.accumulate)]
                waited = time.perf_counter() - asked
                report = self.step(ready)
                now = time.process_time()  # not the wall clock: a busy machine does not shorten a run
                seconds, waited, stopped = self._means([now - last, waited, float(stop())])
                last = now
                self.state.spent += seconds
                scores = None
                due = validate_every and self.state.step % validate_every == 0
                if validate is not None and (due or self.progress >= 1):
                    scores = self._validate(validate)
                    last = time.process_time()
                if self.state.spent - saved >= save_every and not self.state.strange:
                    saved = self.state.spent
                    self.save()
                yield replace(report, progress=self.progress, seconds=seconds, waited=waited, scores=scores)
        except GeneratorExit:
            self.save()
            raise
        except DivergedError:
            raise
        except BaseException as error:
            self._rescue(error)
            raise
        self.save()

    def step(self, ready: Sequence[Batch]) -> Report:
        """One step of the optimiser; gradients of several batches are averaged."""
        state, recipe = self.state, self.recipe
        factor = recipe.optimisation.factor(state.step, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        facts = np.zeros(7)
        for i, batch in enumerate(ready):
            # Dropout of every step has a seed of its own, so that a resumed run draws the same.
            torch.manual_seed(hash((recipe.seed, state.step, i, self.fabric.global_rank)) % 2**63)
            shared = shared_generator(recipe, state.step * len(ready) + i)
            places = place_generators(recipe, state.step * len(ready) + i, batch.numbers)
            with self.fabric.no_backward_sync(self.learner, enabled=i < len(ready) - 1):
                loss, values = self.learner(batch.kind, batch.arrays, shared, places)
                self.fabric.backward(loss / len(ready))
            facts += np.array(values) / len(ready)
        norm = self._clip()
        total, focal, dice, iou_error, presence, iou_prompted, iou = self._means(facts.tolist())
        skipped = not (math.isfinite(norm) and math.isfinite(total))
        if skipped:
            log.warning("step %d: gradient norm %s, skipped; samples: %s", state.step, norm, _named(ready))
        else:
            self.optimizer.step()
            if state.average is not None:
                state.average.update(state.model, state.step)
        state.step += 1
        self._guard(ready, total, skipped)
        return Report(
            step=state.step,
            progress=self.progress,
            kind=ready[0].kind,
            loss=total,
            terms=(focal, dice, iou_error, presence),
            iou_prompted=iou_prompted,
            iou=iou,
            norm=norm,
            rate=factor,
            seconds=0.0,
            waited=0.0,
            names=tuple(name for batch in ready for name in batch.names),
            skipped=skipped,
        )

    def _clip(self) -> float:
        """Clip the gradient; returns its norm before."""
        most = self.recipe.optimisation.clip or math.inf
        norm = self.fabric.clip_gradients(self.learner, self.optimizer, max_norm=most, error_if_nonfinite=False)
        assert norm is not None
        return float(whole(norm))

    def _guard(self, ready: Sequence[Batch], loss: float, skipped: bool) -> None:
        """Notice a run that no longer learns, and say on which samples."""
        state, kind = self.state, ready[0].kind
        usual = state.usual.get(kind)
        far = skipped or (usual is not None and loss > self.recipe.divergence * usual)
        state.strange = state.strange + 1 if far else 0
        if not far:
            state.usual[kind] = loss if usual is None else 0.95 * usual + 0.05 * loss
        if state.strange >= self.recipe.patience:
            raise DivergedError(
                f"step {state.step}: for {state.strange} steps the loss was not finite or over "
                f"{self.recipe.divergence:g} times the usual {usual}, now {loss:.4g} on {_named(ready)}: "
                f"lower optimisation.rate, or look at these samples"
            )

    def _means(self, values: list[float]) -> list[float]:
        if self.fabric.world_size == 1:
            return values
        mean = self.fabric.all_reduce(torch.tensor(values, dtype=torch.float64), reduce_op="mean")
        assert isinstance(mean, torch.Tensor)
        return mean.tolist()

    def _stream(self, stage: Stage) -> Iterator[Batch]:
        first = self.state.step * self.recipe.optimisation.accumulate
        return batches(self.recipe, stage, first, self.fabric.global_rank, self.fabric.world_size, self.workers)

    def _validate(self, validate: Callable[[Sam2], dict[str, float]]) -> dict[str, float] | None:
        scores = None
        model = self.state.result(self.recipe, self.fabric.is_global_zero)
        if model is not None:
            with torch.random.fork_rng():
                scores = validate(model)
        self.fabric.barrier()
        return scores

    def _rescue(self, error: BaseException) -> None:
        """Save what there is after an error that the other processes do not know of, and so wait for none of them."""
        if self.fabric.world_size > 1:
            log.error("process %d ends at step %d: %s", self.fabric.global_rank, self.state.step, error)
        if not self.fabric.is_global_zero or is_sharded(self.state.model):  # slices are put together by all or by none
            return
        try:
            self.state.save(self.out, self.recipe, self.dtype)
        except OSError as failed:
            log.error("not saved: %s", failed)  # what is raised is what came first

    def save(self) -> None:
        """Write the checkpoint, on the first process."""
        self.state.save(self.out, self.recipe, self.dtype, self.fabric.is_global_zero)
        self.fabric.barrier()


def _teacher(recipe: Recipe, device: torch.device) -> Teacher | None:
    if not recipe.distillation.teacher:
        return None
    return Teacher(load(recipe.distillation.teacher, device=device), recipe.distillation)


def _named(ready: Sequence[Batch]) -> str:
    return ", ".join(name for batch in ready for name in batch.names)


def _one_process() -> Fabric:
    from lightning_fabric import Fabric

    return Fabric(accelerator="cpu", devices=1)
