"""The state of a run, and its checkpoint: a run that was stopped and resumed is the run that was not."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from pathlib import Path

import torch

from ..checkpoints.load import save
from ..model.sam2 import Sam2
from ..video.atomic import replacing
from .lora import merge_lora
from .optimisation import Average
from .recipe import Recipe, differences

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

    def save(self, folder: Path, recipe: Recipe, dtype: torch.dtype = torch.float32) -> None:
        """Write the checkpoint, and the weights by themselves; each file is complete or as it was.

        Raises:
            OSError: The disk is full or cannot be written to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state,
            "counters": {"step": self.step, "spent": self.spent, "strange": self.strange, "usual": dict(self.usual)},
            "recipe": json.dumps(recipe.described()),
        }
        with replacing(folder / CHECKPOINT) as part:
            torch.save(state, part)
        with replacing(folder / RECIPE) as part:
            part.write_text(json.dumps(recipe.described(), indent=1))
        save(self.result(), folder / WEIGHTS, dtype=dtype)

    def result(self) -> Sam2:
        """A copy of the model that the run has made so far: the averaged weights where there are any."""
        made = deepcopy(self.model).cpu().eval()
        if self.average is not None:
            made.load_state_dict(self.average.state)
        merge_lora(made)
        return made.requires_grad_(False)

    def load(self, path: Path, recipe: Recipe) -> None:
        """Go on from a checkpoint.

        Raises:
            ResumeError: It was written with another recipe, or is damaged.
        """
        try:
            saved = torch.load(path, weights_only=True, map_location="cpu")
            written, counters = json.loads(saved["recipe"]), saved["counters"]
        except (RuntimeError, EOFError, KeyError, TypeError, ValueError, OSError, pickle.UnpicklingError) as error:
            raise ResumeError(f"{path} is no checkpoint of a run ({error}): remove it to start afresh") from error
        changed = [each for each in differences(written, recipe.described()) if not _harmless(each)]
        if changed:
            listed = "; ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
            raise ResumeError(
                f"{path} was written with another recipe ({listed}): go on with the same one, or give another --out"
            )
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.average is not None:
            self.average.state = saved["average"]
        self.step, self.spent, self.strange = counters["step"], counters["spent"], counters["strange"]
        self.usual = dict(counters["usual"])


def _harmless(difference: str) -> bool:
    """Fields that may change on resuming: they decide how long a run is and when it gives up."""
    return difference.split(":")[0] in ("steps", "minutes", "patience", "divergence", "name")
