"""The state of a run, and its checkpoint: a run that was stopped and resumed is the run that was not."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints.load import save
from ..model.sam2 import Sam2, build
from ..video.atomic import replacing
from .lora import add_lora, merge_lora
from .optimisation import Average
from .recipe import Recipe, completed, differences, is_drawn
from .sharding import gathered, spread

CHECKPOINT, WEIGHTS, RECIPE = "checkpoint.pt", "weights.safetensors", "recipe.json"


class ResumeError(ValueError):
    """A checkpoint that this recipe cannot go on from."""


class TrainState:
    """Everything that changes in a run.

    Attributes:
        model: What is trained.
        optimizer: Its moments.
        average: Running average of the weights, if the recipe asks for one.
        step: Steps done.
        spent: Seconds of processor time.
        strange: Steps in a row that were skipped or whose loss was far from usual.
        usual: Running mean of the loss, by kind of step.
    """

    def __init__(self, model: Sam2, optimizer: torch.optim.Optimizer, average: Average | None) -> None:
        self.model, self.optimizer, self.average = model, optimizer, average
        self.step, self.spent, self.strange = 0, 0.0, 0
        self.usual: dict[str, float] = {}

    def save(self, folder: Path, recipe: Recipe, dtype: torch.dtype = torch.float32, first: bool = True) -> None:
        """Write the checkpoint, and the weights by themselves; each file is complete or as it was.

        Args:
            folder: Folder of the run.
            recipe: Of the run.
            dtype: What the weights are saved as.
            first: Whether this is the process that writes; the others of a sharded run must call with it.

        Raises:
            OSError: The disk is full or cannot be written to.
        """
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state,
        }
        state = gathered(state, first)
        if not first:
            return
        folder.mkdir(parents=True, exist_ok=True)
        state["counters"] = {"step": self.step, "spent": self.spent, "strange": self.strange, "usual": dict(self.usual)}
        state["recipe"] = json.dumps(recipe.described())
        with replacing(folder / CHECKPOINT) as part:
            _write(state, part)
        with replacing(folder / RECIPE) as part:
            part.write_text(json.dumps(recipe.described(), indent=1))
        made = _plain(self.model, state["model"] if self.average is None else state["average"], recipe)
        save(made, folder / WEIGHTS, dtype=dtype)

    def result(self, recipe: Recipe, first: bool = True) -> Sam2 | None:
        """A copy of the model that the run has made so far: the averaged weights where there are any.

        None where ``first`` is False; such processes of a sharded run must call with the first.
        """
        weights = gathered(self.model.state_dict() if self.average is None else self.average.state, first)
        return _plain(self.model, weights, recipe) if first else None

    def load(self, path: Path, recipe: Recipe) -> None:
        """Go on from a checkpoint.

        Raises:
            ResumeError: It was written with another recipe, or is damaged.
        """
        try:
            saved = torch.load(path, weights_only=True, map_location="cpu")
            written, counters = completed(json.loads(saved["recipe"]), recipe), saved["counters"]
        except (RuntimeError, EOFError, KeyError, TypeError, ValueError, OSError, pickle.UnpicklingError) as error:
            raise ResumeError(f"{path} is no checkpoint of a run ({error}): remove it to start afresh") from error
        changed = [each for each in differences(written, recipe.described()) if not _harmless(each, recipe)]
        if changed:
            listed = "; ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
            raise ResumeError(
                f"{path} was written with another recipe ({listed}): go on with the same one, or give another --out"
            )
        self.model.load_state_dict(_placed(saved["model"], self.model.state_dict()))
        learned = [p for group in self.optimizer.param_groups for p in group["params"]]
        moments = saved["optimizer"]["state"]
        for place, each in moments.items():
            moments[place] = {k: spread(v, learned[place]) if v.ndim else v for k, v in each.items()}
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.average is not None:
            self.average.state = _placed(saved["average"], self.average.state)
        self.step, self.spent, self.strange = counters["step"], counters["spent"], counters["strange"]
        self.usual = dict(counters["usual"])


def _write(state: dict[str, Any], path: Path) -> None:
    """``torch.save``, which reports a full disk as a RuntimeError that names nothing, with the system's own error."""
    with path.open("wb") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def _placed(values: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: spread(value, like[name]) if name in like else value for name, value in values.items()}


def _plain(model: Sam2, weights: dict[str, Any], recipe: Recipe) -> Sam2:
    """A model of its own with these weights, on the CPU."""
    with torch.device("meta"):
        made = build(model.config)
        if recipe.optimisation.lora.rank:
            add_lora(made, recipe.optimisation.lora)
    made.load_state_dict({name: value.detach().cpu().clone() for name, value in weights.items()}, assign=True)
    merge_lora(made)
    return made.eval().requires_grad_(False)


def _harmless(difference: str, recipe: Recipe) -> bool:
    """Fields that may change on resuming: how long a run is, when it gives up, how often its only source is drawn."""
    field, *inner = difference.split(":")[0].split(".")
    if field == "sources" and inner[-1:] == ["weight"]:
        kinds = [source.kind for source in recipe.sources if is_drawn(source.weight)]
        return kinds.count(recipe.sources[int(inner[0])].kind) == 1
    return field in ("steps", "minutes", "patience", "divergence", "name")
