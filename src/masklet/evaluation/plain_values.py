"""Dataclasses as plain values (mappings, lists, numbers, texts) and back, led by the types of their fields."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """What JSON can hold of a dataclass, a mapping, a sequence, a number, a text or None; keys become texts.

    NaN, which JSON does not have, becomes None; a field of type ``float`` reads it back as NaN.

    Raises:
        ValueError: Something else is inside, or a number is infinite.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        if math.isinf(value):
            raise ValueError(f"got {value}, expected finite numbers: JSON has no infinity")
        return None if math.isnan(value) else value
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(one) for one in value]
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    raise ValueError(f"got {value!r}, expected numbers, texts, None, lists, mappings or dataclasses of them")


def from_plain(kind: type[T], plain: Any, where: str = "") -> T:
    """Read what :func:`to_plain` gave.

    Args:
        kind: Expected type: a dataclass whose fields are dataclasses, numbers, texts, ``X | None``,
            ``tuple[X, ...]``, ``Mapping[K, V]`` with keys of ``str`` or ``int``, or ``Any``, which is taken as it is.
        plain: The plain value.
        where: What errors call the place of the value.

    Raises:
        ValueError: The value does not fit the type; the message names the place.
    """
    return _read(kind, plain, where or kind.__name__)


def _read(kind: Any, plain: Any, where: str) -> Any:
    if kind is Any:
        return plain
    if is_dataclass(kind):
        return _dataclass(kind, plain, where)
    if kind is float:
        return _float(plain, where)
    if kind in (int, str, bool):
        return plain if type(plain) is kind else _refuse(kind.__name__, plain, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType) and len(inner) == 2 and inner[1] is type(None):
        return None if plain is None else _read(inner[0], plain, where)
    if origin is tuple and inner[1:] == (...,):
        if not isinstance(plain, list):
            return _refuse("a list", plain, where)
        if inner[0] is float and set(map(type, plain)) == {float}:  # most of a record: values of frames
            return tuple(plain)
        return tuple([_read(inner[0], one, f"{where}[{i}]") for i, one in enumerate(plain)])
    if origin is Mapping:
        if not isinstance(plain, dict):
            return _refuse("a mapping", plain, where)
        return {_key(inner[0], key, where): _read(inner[1], one, f"{where}[{key!r}]") for key, one in plain.items()}
    raise TypeError(f"{where} has type {kind}, which has no plain form: add it to {__name__}")


def _dataclass(kind: Any, plain: Any, where: str) -> Any:
    if not isinstance(plain, dict):
        return _refuse(f"the fields of {kind.__name__}", plain, where)
    hints = _hints(kind)
    known = {field.name: field for field in fields(kind)}
    needed = [n for n, field in known.items() if field.default is MISSING and field.default_factory is MISSING]
    missing, unknown = [n for n in needed if n not in plain], [n for n in plain if n not in known]
    if missing or unknown:
        said = [f"lacks {', '.join(missing)}"] if missing else []
        said += [f"has unknown {', '.join(map(repr, unknown))}"] if unknown else []
        raise ValueError(f"{where} {' and '.join(said)}, expected the fields of {kind.__name__}: {', '.join(known)}")
    return kind(**{name: _read(hints[name], one, f"{where}.{name}") for name, one in plain.items()})


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _float(plain: Any, where: str) -> float:
    if plain is None:
        return math.nan
    return float(plain) if type(plain) in (float, int) else _refuse("a number", plain, where)


def _key(kind: Any, key: str, where: str) -> Any:
    if kind is str:
        return key
    try:
        return kind(key)
    except ValueError:
        return _refuse(f"keys of type {kind.__name__}", key, where)


def _refuse(expected: str, plain: Any, where: str) -> Any:
    got = repr(plain)
    raise ValueError(f"{where}: expected {expected}, got {got if len(got) <= 60 else got[:57] + '...'}")
