"""What a session remembers as bytes, exactly and on any device (safetensors, JSON; nothing is pickled)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..interaction.prompts import UserPrompt
from ..structures import MemoryEntry, Prediction
from .corrections import check_correction
from .results import Shown
from .spool import Kept
from .track import Note

KINDS: dict[str, type] = {
    "prompts": UserPrompt,
    "corrections": str,
    "locks": int,
    "active": int,
    "pending": Prediction,
    "answers": Prediction,
    "prompted": MemoryEntry,
    "recent": MemoryEntry,
    "notes": Note,
    "shown": Shown,
}
"""What the tables of a track hold."""


def pack(value: UserPrompt | str | int | Prediction | MemoryEntry | Kept) -> bytes:
    """A value as bytes."""
    if isinstance(value, str | int):
        return str(value).encode()
    if isinstance(value, Kept):
        return value.packed()
    held = {f.name: getattr(value, f.name) for f in fields(value)}
    return save({name: _tensor(one) for name, one in held.items() if one is not None})


def unpack(table: str, data: bytes, device: torch.device | str = "cpu") -> Any:
    """The value of a table; its tensors on a device.

    Raises:
        ValueError: The bytes are damaged.
    """
    kind = KINDS[table]
    try:
        if kind is str:
            return check_correction(data.decode())
        if kind is int:
            return int(data)
        if issubclass(kind, Note | Shown):
            return kind.unpacked(data)
        held: dict[str, Any] = dict(load(data))
        if kind is UserPrompt:
            return UserPrompt(**{name: one.numpy() for name, one in held.items()})
        if "from_prompt" in held:
            held["from_prompt"] = bool(held["from_prompt"])
        values = {name: one.to(device) if isinstance(one, Tensor) else one for name, one in held.items()}
        return kind(**{"features": None, **values} if kind is MemoryEntry else values)
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"an entry of {table} is damaged ({error})") from error


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu().contiguous().clone()
    return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else torch.tensor(value)
