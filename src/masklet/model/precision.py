"""The precision that a model computes in, whatever autocast surrounds it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:
    from .sam2 import Sam2

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "int8": torch.float32}
"""By name; ``int8`` is what lies around the layers of :mod:`~masklet.model.int8`."""
Method = TypeVar("Method", bound=Callable[..., Any])


def own_precision(model: Sam2) -> AbstractContextManager[Any]:
    """Surroundings in which a model computes in its :attr:`~masklet.model.sam2.Sam2.precision`.

    ``None`` leaves it to the surroundings: an outer autocast counts, without one it is that of the weights. Otherwise
    the outer autocast does not count: ``float32`` turns it off, the others put their own in its place.
    """
    if model.precision is None:
        return nullcontext()
    if model.precision == torch.float32:
        return torch.autocast(model.device.type, enabled=False)
    return torch.autocast(model.device.type, dtype=model.precision)


def in_own_precision(method: Method) -> Method:
    """A method of a model, run in its :func:`own_precision`."""

    @wraps(method)
    def run(model: Sam2, *args: Any, **kwargs: Any) -> Any:
        if model.precision is None:
            return method(model, *args, **kwargs)
        with own_precision(model):
            return method(model, *args, **kwargs)

    return run  # pyright: ignore[reportReturnType]


def precision_of(name: str | None) -> torch.dtype | None:
    """A precision by its name.

    Raises:
        ValueError: There is none of that name.
    """
    if name is None:
        return None
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, or None to leave it open, got {name!r}")
    return PRECISIONS[name]
