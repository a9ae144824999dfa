"""torch.compile for the parts of a model, in place; meant for a GPU.

Not measured: the project's machines have none. Tests compile with a backend that only traces, which shows that every
part is one graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from .sam2 import Sam2


def compile_parts(model: Sam2, *, mode: str | None = None, backend: str | Callable[..., Any] = "inductor") -> Sam2:
    """Compile the image encoder, the memory encoder, memory attention and the mask decoder of a model.

    Shapes are fixed but for memory attention, whose memory grows until it is full, and for the number of objects. The
    first calls compile, which takes minutes with ``max-autotune``; weights keep their names.

    Args:
        model: Changed in place, and returned.
        mode: As for ``torch.compile``. ``max-autotune`` and ``reduce-overhead`` use CUDA graphs, whose outputs the next
            call writes over: they are copied.
        backend: As for ``torch.compile``.
    """
    parts: dict[nn.Module, bool | None] = {
        model.image_encoder: False,
        model.memory_encoder: None,
        model.mask_decoder: None,
        model.memory_attention: True,
    }
    for part, dynamic in parts.items():
        part.compile(fullgraph=True, dynamic=dynamic, mode=mode, backend=backend)
        if mode in ("max-autotune", "reduce-overhead"):
            part.register_forward_hook(lambda _module, _given, output: _copied(output))
    return model


def _copied(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.clone()
    if isinstance(x, tuple | list):
        return type(x)(_copied(one) for one in x)
    if is_dataclass(x) and not isinstance(x, type):
        return type(x)(**{field.name: _copied(getattr(x, field.name)) for field in fields(x)})
    return x
