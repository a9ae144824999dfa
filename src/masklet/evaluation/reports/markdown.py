"""A report as Markdown: its tables, and what was run on what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .comparison import compare_runs
from .run_record import RunRecord
from .tables import NOT_MEASURED, Cell, Row, Table, comparison_table, sequence_table, summary_tables


def markdown_report(records: Sequence[RunRecord], compared_with: RunRecord | None = None) -> str:
    """The report of the first record; the others stand beside it as floors or rivals.

    Args:
        records: The run reported, then others, of any trackers.
        compared_with: A run on the same units, for paired tests.

    Raises:
        ValueError: There is no record, or the run to compare with has other units.
    """
    made = list(summary_tables(records))
    first = records[0]
    if compared_with is not None:
        compared = compare_runs(first, compared_with)
        made.append(comparison_table(compared, first.tracker, compared_with.tracker))
    if first.vos:
        made.append(sequence_table(records))
    lines = [f"# {_escaped(first.tracker)} on {_escaped(first.suite)}", ""]
    lines += [f"- {_escaped(name)}: {_escaped(said)}" for name, said in setup(first)]
    for table in made:
        lines += ["", markdown_table(table)]
    return "\n".join(lines) + "\n"


def markdown_table(table: Table) -> str:
    """A table with its heading and its note; published rows are in italics and say that they are published."""
    lines = [f"## {_escaped(table.title)}", "", _line(table.columns)]
    lines.append("|" + "---|" * table.heads + "---:|" * (len(table.columns) - table.heads))
    lines += [_line([_cell(cell, row, at) for at, cell in enumerate(row.cells)]) for row in table.rows]
    return "\n".join([*lines, "", _escaped(table.note)])


def setup(record: RunRecord) -> list[tuple[str, str]]:
    """What a run was made with, as names and texts."""
    said: dict[str, Any] = {"hardware": record.hardware, "data": record.data, **record.settings}
    return [(name, str(value)) for name, value in said.items() if value != ""]


def _cell(cell: Cell, row: Row, at: int) -> str:
    if row.published and at == 0:
        said = "; ".join(filter(None, (NOT_MEASURED, cell.remark)))
        return f"*{_escaped(cell.text)}* ({_escaped(said)})"
    text = _escaped(f"{cell.text} {cell.remark}".strip())
    return f"*{text}*" if row.published and cell.text != "–" else text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Names are anyone's: nothing in them may end a cell, start a tag or a link, or break the line."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))
