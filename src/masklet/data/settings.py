"""What results depend on, kept beside them, so that a run is gone on with only by the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .paths import DataPath, write_file


def keep_settings(path: DataPath, settings: Mapping[str, Any], otherwise: str, *, anew: bool = False) -> None:
    """Write settings into the folder of results, or see that they are what they were.

    Args:
        path: Their file.
        settings: Plain values, which JSON can hold.
        otherwise: What to do if they are others, for the error.
        anew: Whatever the file says.

    Raises:
        ValueError: The folder has results of other settings, which are named; or the file is damaged.
        OSError: It cannot be read or written.
    """
    plain = json.loads(json.dumps(settings))
    if anew or not path.is_file():
        write_file(path, json.dumps(plain, indent=1).encode())
        return
    try:
        known = json.loads(path.read_bytes())
    except ValueError as error:
        known = error
    if not isinstance(known, dict):
        raise ValueError(f"{path} is damaged ({known}): remove it if its folder is of these options, or take another")
    other = [
        f"{name} {known.get(name)!r}, not {plain.get(name)!r}"
        for name in sorted(known.keys() | plain.keys())
        if known.get(name) != plain.get(name)
    ]
    if other:
        raise ValueError(f"{path.parent} has results with other options ({'; '.join(other)}): {otherwise}")
