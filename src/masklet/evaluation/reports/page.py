"""A report as one web page that needs nothing else: tables to sort, curves, strips of frames, pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import jinja2

from . import chart
from .chart import charts
from .comparison import compare_runs
from .gallery import Pictures, Shot, clicked_frames, worst_frames
from .markdown import setup
from .run_record import RunRecord
from .strips import strip_groups
from .tables import NOT_MEASURED, comparison_table, sequence_table, summary_tables

_WORST, _CLICKED, _MOVED = 36, 24, 15


@dataclass(frozen=True)
class _Shown:
    """A shot with its picture as a data address; without a picture, none."""

    shot: Shot
    picture: str | None


@dataclass(frozen=True)
class _Moved:
    """A video that two runs score differently; ``width`` is a share of the greatest change, 0 to 1."""

    video: str
    change: float
    width: float


def report_page(
    records: Sequence[RunRecord], pictures: Pictures | None = None, compared_with: RunRecord | None = None
) -> str:
    """HTML of the report of the first record; the others stand beside it as floors or rivals.

    The page loads nothing, has at most 60 pictures, and shows names as they are, whatever is in them.

    Args:
        records: The run reported, then others, of any trackers.
        pictures: Asked for the JPEG of each shot of the galleries. None: they list the frames without pictures.
        compared_with: A run on the same units, for paired tests and the videos that moved most.

    Raises:
        ValueError: There is no record, or the run to compare with has other units.
    """
    made, first = summary_tables(records), records[0]
    strips = strip_groups(first)
    compared = () if compared_with is None else compare_runs(first, compared_with)
    return _template().render(
        record=first,
        setup=setup(first),
        tables=made,
        sequences=sequence_table(records) if first.vos else None,
        not_measured=NOT_MEASURED,
        charts=charts(records),
        frame=chart,
        strip_groups=strips,
        prompted=any(strip.prompted for group in strips for strip in group.strips),
        worst=_shown(worst_frames(first, _WORST), pictures),
        clicked=_shown(clicked_frames(first, _CLICKED), pictures),
        comparison=comparison_table(compared, first.tracker, compared_with.tracker) if compared_with else None,
        moved=[(c.quantity, _moved(c.moved(_MOVED))) for c in compared],
        other=compared_with,
        style=_text("page.css"),
        script=_text("page.js"),
    )


def _template() -> jinja2.Template:
    made = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return made.from_string(_text("page.html"))


def _text(name: str) -> str:
    return (files("masklet.evaluation.reports") / "page_parts" / name).read_text(encoding="utf-8")


def _shown(shots: Sequence[Shot], pictures: Pictures | None) -> list[_Shown]:
    found = []
    for shot in shots:
        data = None if pictures is None else pictures(shot)
        address = None if data is None else f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        found.append(_Shown(shot, address))
    return found


def _moved(changes: Sequence[tuple[str, float]]) -> list[_Moved]:
    moved = [(video, change) for video, change in changes if change != 0]
    most = max((abs(change) for _, change in moved), default=0.0)
    return [_Moved(video, 100 * change, abs(change) / most) for video, change in moved]
