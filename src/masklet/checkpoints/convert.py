"""Two ways between layouts: our names <-> the official files <-> the ``transformers`` layout.

A row of a key table is a pair of prefixes; ``{}`` stands for one number. The first row that fits a key renames it, both
ways, and what follows the prefix (``weight``, ``bias``) is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from . import official_keys, transformers_keys
from .official_keys import OFFICIAL
from .transformers_keys import MATRIX, MATRIX_AGAIN, TRANSFORMERS

Row = tuple[str, str]
Layout = Literal["masklet", "official", "transformers"]

LABELS = "prompt_encoder.labels_embedding"
_FLAT = ("memory_tokens.time", "no_memory", "no_memory_position")
_TABLES: dict[str, tuple[Row, ...]] = {"official": OFFICIAL, "transformers": TRANSFORMERS}
_MARKS: tuple[
    tuple[Layout, tuple[str, ...]], ...
] = (  # any of these prefixes decides; nothing else in the layouts begins so
    ("official", ("sam_mask_decoder.", "sam_prompt_encoder.", "maskmem_tpos_enc")),
    ("transformers", ("vision_encoder.", "prompt_encoder.mask_embed.", "shared_image_embedding.")),
    ("masklet", ("image_encoder.neck.laterals.", "memory_tokens.", "prompt_encoder.dense.")),
)


class KeyMismatchError(ValueError):
    """A file whose keys do not fit; the message names them."""


def detect_layout(keys: Iterable[str]) -> Layout:
    """Whose names these are.

    Raises:
        KeyMismatchError: If they are nobody's.
    """
    keys = list(keys)
    for layout, prefixes in _MARKS:
        if any(key.startswith(prefixes) for key in keys):
            return layout
    raise KeyMismatchError(
        f"got {len(keys)} keys that are neither masklet's, the official files' nor transformers' "
        f"({some(keys) or 'none'}); expected the weights of a SAM 2 model"
    )


def rename(key: str, rows: tuple[Row, ...], *, forward: bool) -> str | None:
    """The other name of a key; None when no row fits. ``forward``: from the left column to the right."""
    for pattern, target in _compiled(rows, forward):
        match = pattern.match(key)
        if match:
            return target.format(*match.groups()) + key[match.end() :]
    return None


def our_name(key: str, layout: Layout) -> str | None:
    """Our name of a key of some layout; None when it has none."""
    return key if layout == "masklet" else rename(key, _TABLES[layout], forward=False)


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official keys to ours.

    Raises:
        KeyMismatchError: If a key has no name in our layout.
    """
    out = _renamed(state, OFFICIAL, forward=False, layout="official")
    labels = [out.pop(f"{LABELS}.{i}") for i in range(4) if f"{LABELS}.{i}" in out]
    if labels:
        out[LABELS] = torch.cat(labels)
    return _flattened(out)


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our keys to the official ones.

    Raises:
        KeyMismatchError: If a key has no official name (``nano`` has parts that the official models lack).
    """
    state = dict(state)
    if LABELS in state:
        state.update({f"{LABELS}.{i}": row[None] for i, row in enumerate(state.pop(LABELS))})
    out = _renamed(state, OFFICIAL, forward=True, layout="official")
    return _lengthened(out, official_keys.LENGTHENED)


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keys of ``Sam2VideoModel`` or ``Sam2Model`` to ours; the latter gives a model without its memory parts.

    Raises:
        KeyMismatchError: If a key has no name in our layout, or the two copies of the Fourier matrix differ.
    """
    state = dict(state)
    again = state.pop(MATRIX_AGAIN, None)
    if again is not None and not torch.equal(state.setdefault(MATRIX, again), again):
        raise KeyMismatchError(f"{MATRIX} and {MATRIX_AGAIN} must be equal, got two different matrices")
    return _flattened(_renamed(state, TRANSFORMERS, forward=False, layout="transformers"))


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our keys to those of ``Sam2VideoModel`` (``Sam2Model`` reads them too and skips the memory parts).

    Raises:
        KeyMismatchError: If a key has no name there (``nano`` has parts that those models lack).
    """
    out = _renamed(state, TRANSFORMERS, forward=True, layout="transformers")
    if MATRIX in out:
        out[MATRIX_AGAIN] = out[MATRIX]
    return _lengthened(out, transformers_keys.LENGTHENED)


def from_layout(state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Keys of any layout to ours."""
    if layout == "masklet":
        return dict(state)
    return from_official(state) if layout == "official" else from_transformers(state)


def to_layout(state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Our keys to any layout."""
    if layout == "masklet":
        return dict(state)
    return to_official(state) if layout == "official" else to_transformers(state)


def some(keys: Iterable[str], most: int = 8) -> str:
    """The first few of many keys, and how many more there are, for an error message."""
    keys = sorted(keys)
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more


@lru_cache(maxsize=8)
def _compiled(rows: tuple[Row, ...], forward: bool) -> list[tuple[re.Pattern[str], str]]:
    compiled = []
    for a, b in rows:
        source, target = (a, b) if forward else (b, a)
        pattern = re.escape(source).replace(r"\{\}", r"(\d+)")
        compiled.append((re.compile(rf"{pattern}(?=\.|$)"), target))
    return compiled


def _renamed(state: Mapping[str, Tensor], rows: tuple[Row, ...], *, forward: bool, layout: str) -> dict[str, Tensor]:
    out, unknown = {}, []
    for key, value in state.items():
        name = rename(key, rows, forward=forward)
        if name is None:
            unknown.append(key)
        else:
            out[name] = value
    if unknown and forward:
        raise KeyMismatchError(f"these have no name in the {layout} layout: {some(unknown)}; use layout='masklet'")
    if unknown:
        raise KeyMismatchError(f"keys unknown to the {layout} layout: {some(unknown)}")
    return out


def _flattened(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.reshape(-1, value.shape[-1]) if key in _FLAT else value for key, value in state.items()}


def _lengthened(state: dict[str, Tensor], axes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {key: value.reshape(*axes[key], value.shape[-1]) if key in axes else value for key, value in state.items()}
