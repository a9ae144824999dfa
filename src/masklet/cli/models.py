"""`masklet models`: what can be loaded, and what is on this machine."""

from __future__ import annotations

import json as encoder
from collections import Counter
from typing import Any

from ..checkpoints.available import Row, available
from ..checkpoints.download import cache_folder


def models(json: bool = False) -> int:
    """List the models that can be loaded and those that are cached.

    Args:
        json: Print one JSON list in place of the table.
    """
    rows = available()
    if json:
        print(encoder.dumps([_record(row) for row in rows], indent=2))
        return 0
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    for title in ("params", "input", "SA-V", "MOSE val", "LVOSv2"):
        table.add_column(title, justify="right")
    table.add_column("weights", no_wrap=True)
    for row in rows:
        style = {"missing": "red", "to download": "dim"}.get(row.state)
        table.add_row(row.entry.name, *_numbers(row), row.state, style=style)
    console = Console(highlight=False)
    console.print(table)
    console.print("\nScores: published J&F in percent (SA-V: test set), from the mask of the first frame.")
    ((usual, _),) = Counter(row.entry.license for row in rows).most_common(1)
    console.print(f"Licence of the weights: {usual}.")
    for entry in (row.entry for row in rows if row.entry.license != usual):
        console.print(f"Licence of {entry.name}: {escape(entry.license)}.", soft_wrap=True)
    console.print(f"Downloads go to {escape(str(cache_folder()))} (MASKLET_CACHE).", soft_wrap=True)
    return 0


def _numbers(row: Row) -> tuple[str, ...]:
    entry = row.entry
    scores = ("", "", "") if entry.scores is None else tuple(vars(entry.scores).values())
    return f"{entry.parameters / 1e6:.1f} M", f"{entry.config.image_size} px", *map(str, scores)


def _record(row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "name": entry.name,
        "parameters": entry.parameters,
        "image_size": entry.config.image_size,
        "version": entry.config.version,
        "license": entry.license,
        "weights": row.state,
        "path": None if row.path is None else str(row.path),
        "url": entry.url,
        "repository": entry.repository,
        "scores": None if entry.scores is None else vars(entry.scores),
    }
