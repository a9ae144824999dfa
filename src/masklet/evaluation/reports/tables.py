"""Tables of a report, laid out as the paper's: what Markdown and the page then show each in its way.

The first record is the one reported; the others (floors, rivals) stand below it, published rows below these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..scores import VosScore
from .bootstrap import Interval, mean_interval
from .comparison import Comparison
from .published import PublishedRow, published_images, published_speed, published_vos
from .run_record import RunRecord
from .samples import (
    MEASURES,
    Grouped,
    mask_values,
    object_values,
    recall_values,
    round_count,
    round_values,
    sequence_values,
)

NOT_MEASURED = "published, not measured"
_INTERVALS = "± is half of the 95 % bootstrap interval"


@dataclass(frozen=True)
class Cell:
    """A text, what it is sorted by (None: by the text), and a remark shown small beside it."""

    text: str
    value: float | None = None
    remark: str = ""


@dataclass(frozen=True)
class Row:
    """Cells from left to right; ``published``: copied from a source, not measured."""

    cells: tuple[Cell, ...]
    published: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a line on how to read it; the first ``heads`` columns name a row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str
    heads: int = 1

    @property
    def remarked(self) -> frozenset[int]:
        """Columns with a remark in them: room is left for it in every row, so that numbers stand in line."""
        return frozenset(at for row in self.rows for at, cell in enumerate(row.cells) if cell.remark)


ABSENT = Cell("–", -math.inf)


def summary_tables(records: Sequence[RunRecord]) -> tuple[Table, ...]:
    """The tables of a report that have a row, but the one of single sequences.

    Raises:
        ValueError: There is no record, or its scores do not fit together (see ``samples``).
    """
    if not records:
        raise ValueError("there is no run to report: pass at least one record")
    made = (headline_table, vos_table, interactive_table, image_table, automatic_table, speed_table)
    return tuple(table for table in (make(records) for make in made) if table.rows)


def headline_table(records: Sequence[RunRecord]) -> Table:
    """The numbers of the suite's own rule, a row a tracker and prompt, published ones below."""
    measures = _union(values for r in records for values in r.headlines.values())
    rows = [
        Row((Cell(r.tracker), Cell(prompt), *(_percent(values.get(m)) for m in measures)))
        for r in records
        for prompt, values in r.headlines.items()
    ]
    rows += [
        Row((_name(row), Cell(prompt), *(_published(values.get(m)) for m in measures)), published=True)
        for row in (published_vos(records[0].suite) if rows else ())
        for prompt, values in row.values.items()
        if any(prompt in r.headlines for r in records) and values.keys() & set(measures)
    ]
    note = "The numbers that the suite's own rule gives, in percent."
    return Table("Headline numbers", ("tracker", "prompt", *measures), tuple(rows), note, heads=2)


def vos_table(records: Sequence[RunRecord]) -> Table:
    """J&F, J and F by prompt: a row a tracker over all objects, one over sequences, and published ones."""
    prompts = _union(r.vos for r in records)
    columns = [(prompt, measure) for prompt in prompts for measure in MEASURES]
    rows = []
    for record in records:
        for over, read in (("objects", object_values), ("sequences", sequence_values)):
            cells = [_mean(read(record.vos[p], m)) if p in record.vos else ABSENT for p, m in columns]
            if record.vos:
                rows.append(Row((Cell(record.tracker), Cell(over), *cells)))
    if prompts:
        rows += [
            Row(
                (
                    Cell(row.tracker, remark=row.source),
                    Cell(row.data),
                    *(_published(row.values.get(p, {}).get(m)) for p, m in columns),
                ),
                published=True,
            )
            for row in published_vos(records[0].suite)
            if any(row.values.get(p, {}).get(m) is not None for p, m in columns)
        ]
    note = f"Percent, means over all objects and over sequences; {_INTERVALS}, sequences drawn anew."
    heads = ("tracker", "mean over", *(f"{p} {m}" for p, m in columns))
    return Table("Semi-supervised video object segmentation", heads, tuple(rows), note, heads=2)


def sequence_table(records: Sequence[RunRecord]) -> Table:
    """A row a sequence of the first record: J&F, J and F by prompt, then J&F of the other trackers."""
    first, others = records[0], records[1:]
    shown = [(p, m, first.vos[p]) for p in first.vos for m in MEASURES]
    beside = [(r.tracker, p, r.vos[p]) for r in others for p in r.vos if p in first.vos]
    columns = [_by_sequence(score, m) for _, m, score in shown] + [_by_sequence(score, "J&F") for *_, score in beside]
    counts = {s.name: len(s.objects) for score in first.vos.values() for s in score.sequences}
    rows = tuple(
        Row((Cell(name), Cell(str(count), float(count)), *(_percent(column.get(name)) for column in columns)))
        for name, count in counts.items()
    )
    heads = [f"{p} {m}" for p, m, _ in shown] + [f"{tracker}: {p} J&F" for tracker, p, _ in beside]
    note = "Percent, means over the objects of each sequence."
    return Table("Sequences", ("sequence", "objects", *heads), rows, note)


def interactive_table(records: Sequence[RunRecord]) -> Table:
    """J&F after 1, 2 ... prompted frames and its mean, a row a tracker and mode."""
    runs = [(r.tracker, mode, scores) for r in records for mode, scores in r.interactive.items() if scores]
    most = max((round_count(scores) for *_, scores in runs), default=0)
    rows = []
    for tracker, mode, scores in runs:
        cells = [_mean(round_values(scores, n)) for n in range(1, round_count(scores) + 1)]
        cells += [ABSENT] * (most - len(cells)) + [_mean(round_values(scores))]
        rows.append(Row((Cell(tracker), Cell(mode), *cells)))
    heads = ("tracker", "mode", *(f"N={n}" for n in range(1, most + 1)), "mean")
    note = (
        f"J&F in percent after N prompted frames, mean over objects; {_INTERVALS}, videos drawn anew. "
        "The paper plots its curves without giving their numbers."
    )
    return Table("Interactive video segmentation", heads, tuple(rows), note, heads=2)


def image_table(records: Sequence[RunRecord]) -> Table:
    """Mean IoU by prompt, a row a tracker and image set, published ones below."""
    runs = [(r.tracker, name, mask_values(score)) for r in records for name, score in r.images.items() if score.masks]
    found = _union(values for *_, values in runs)
    prompts = [p for p in found if "click" in p] + [p for p in found if "click" not in p]
    rows = [
        Row((Cell(tracker), Cell(name), *(_mean(values[p]) if p in values else ABSENT for p in prompts)))
        for tracker, name, values in runs
    ]
    rows += [
        Row(
            (
                Cell(row.tracker, remark=row.source),
                Cell(row.data),
                *(_published(row.values.get(p, {}).get("mIoU")) for p in prompts),
            ),
            published=True,
        )
        for row in (published_images() if runs else ())
    ]
    note = (
        f"Mean IoU in percent over masks; {_INTERVALS}, images drawn anew. Best of three: the best candidate of the "
        "first click instead of the one that the predicted IoU chooses."
    )
    return Table("Image segmentation", ("tracker", "images", *prompts), tuple(rows), note, heads=2)


def automatic_table(records: Sequence[RunRecord]) -> Table:
    """Average recall of automatic masks, a row a tracker and image set."""
    runs = [(r.tracker, name, recall_values(s)) for r in records for name, s in r.automatic.items() if s]
    columns = _union(values for *_, values in runs)
    rows = [Row((Cell(tracker), Cell(name), *(_mean(values[c]) for c in columns))) for tracker, name, values in runs]
    note = (
        f"Percent of the masks that are among the first n automatic ones, mean over IoU .5, .55 ... .95; {_INTERVALS}, "
        "images drawn anew. AR@n as COCO counts it: a proposal finds one mask. Covered: it may find all that it fits."
    )
    return Table("Automatic masks", ("tracker", "images", *columns), tuple(rows), note, heads=2)


def speed_table(records: Sequence[RunRecord]) -> Table:
    """Frames or images a second, a row a tracker with its hardware, published ones below."""
    measured = [r for r in records if r.speed]
    published = published_speed() if measured else ()
    columns = _union([*(r.speed for r in measured), *(row.values[""] for row in published)])
    rows = [Row((Cell(r.tracker), Cell(r.hardware), *(_speed(r.speed.get(c)) for c in columns))) for r in measured]
    rows += [
        Row((Cell(row.tracker), Cell(row.source), *(_speed(row.values[""].get(c)) for c in columns)), published=True)
        for row in published
    ]
    note = "Warm-up is not counted. Published rows are of other hardware: compare them with each other only."
    return Table("Speed", ("tracker", "hardware", *columns), tuple(rows), note, heads=2)


def comparison_table(compared: Sequence[Comparison], first: str, second: str) -> Table:
    """A row a quantity: its means in both runs, the difference with its interval, and the p-value."""
    rows = [
        Row(
            (
                Cell(c.quantity),
                _percent(c.first),
                _percent(c.second),
                _mean_of(c.difference, signed=True),
                Cell(f"{c.p_value:.3f}" if c.p_value >= 0.001 else "<0.001", c.p_value),
            )
        )
        for c in compared
    ]
    note = (
        f"Percent; the difference is first minus second on the same units, {_INTERVALS} of paired differences. The "
        "p-value is that of a two-sided sign-flip test over videos or images, not corrected for the number of rows."
    )
    return Table(
        "Comparison", ("quantity", f"{first} (first)", f"{second} (second)", "difference", "p"), tuple(rows), note
    )


def _by_sequence(score: VosScore, measure: str) -> Mapping[str, float]:
    return {group: value for group, units in sequence_values(score, measure).items() for value in units.values()}


def _union(keys: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(key for each in keys for key in each))


def _name(row: PublishedRow) -> Cell:
    return Cell(row.tracker, remark=f"{row.data}; {row.source}")


def _mean(values: Grouped) -> Cell:
    return _mean_of(mean_interval(values))


def _mean_of(interval: Interval, *, signed: bool = False) -> Cell:
    text = f"{100 * interval.mean:{'+' if signed else ''}.1f}"
    return Cell(text, interval.mean, "" if math.isnan(interval.half) else f"±{100 * interval.half:.1f}")


def _percent(value: float | None) -> Cell:
    return ABSENT if value is None else Cell(f"{100 * value:.1f}", value)


def _published(value: float | None) -> Cell:
    return ABSENT if value is None else Cell(f"{value:.1f}", value / 100)


def _speed(value: float | None) -> Cell:
    return ABSENT if value is None else Cell(f"{value:.1f}" if value >= 1 else f"{value:.3f}", value)
