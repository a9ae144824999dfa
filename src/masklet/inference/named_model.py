"""A model as users name it: itself, or the name or path that :func:`masklet.load` takes."""

from __future__ import annotations

import os
from typing import Any

from ..model.sam2 import Sam2

ModelOrName = Sam2 | str | os.PathLike[str]


def as_model(model: Any) -> Sam2:
    """The model, loaded where it is only named.

    Raises:
        TypeError: Neither a model nor a name or path.
    """
    if isinstance(model, (str, os.PathLike)):
        from ..checkpoints.load import load

        return load(model)
    if not isinstance(model, Sam2):
        raise TypeError(f"model must come from masklet.load, or be a name or path for it, got {type(model).__name__}")
    return model
