"""The tables and the plot of ``peers.py``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import mean, median
from typing import Any

from masklet.video.atomic import write_bytes

COLUMNS = (
    "row", "model", "px", "library", "seconds", "times masklet's", "of the floor", "peak MB", "steady MB", "differs by",
)  # fmt: skip

SHORT = (
    "model, px", "work", "masklet s", "of the floor", "official / masklet", "transformers / masklet",
    "peak MB: masklet, official, transformers", "largest difference",
)  # fmt: skip
WORK = {
    "encode": "an image encoded", "click": "one click on it", "clicks": "{} clicks to logits",
    "masks": "{} clicks to masks", "video": "a frame, {} objects", "memories": "a frame while memory fills",
    "prompts": "a frame, {} prompted frames", "long": "a frame of 200, {} objects",
    "startup": "import, build, read the weights",
}  # fmt: skip
"""What a row measures, in the order of the tables."""
MODELS = ("tiny", "small", "base_plus", "large")
BEGIN, END = "<!-- peers -->", "<!-- /peers -->"
PLOT = "peers.png"


def write_report(folder: Path, clock: str = "wall") -> str:
    """Write ``peers.md`` and ``peers.png`` of all rows in a folder; returns the tables."""
    found = results(folder)
    text = short_table(found, clock) + caption(found, clock) + "\n" + table(found, clock)
    (folder / "peers.md").write_text(text)
    if found:
        plot(found, clock, folder / PLOT)
    return text


def write_docs(folder: Path, page: Path, clock: str = "wall") -> None:
    """Put the short table into a Markdown page, between its markers, and the plot of ``write_report`` beside the page.

    Raises:
        ValueError: The page has no markers, or the folder no rows.
        OSError: A file cannot be read or written; each is as before or complete.
    """
    found = results(folder)
    if not found:
        raise ValueError(f"{folder} has no rows for {page}: run some, or give the folder of those that were")
    before, after = around_markers(page)
    inside = f"{short_table(found, clock)}{caption(found, clock)}\n![Ratios]({PLOT})\n"
    write_bytes(page.parent / PLOT, (folder / PLOT).read_bytes())
    write_bytes(page, f"{before}{inside}{after}".encode())


def around_markers(page: Path) -> tuple[str, str]:
    """Text of a page up to its first marker and from its second on, markers included.

    Raises:
        ValueError: They are not there, each once and in this order.
        OSError: The page cannot be read.
    """
    text = page.read_text(encoding="utf-8")
    found = re.fullmatch(rf"(.*^{BEGIN}\n).*(^{END}$.*)", text, re.DOTALL | re.MULTILINE)
    if found is None or text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{page} needs a line {BEGIN} and after it a line {END}, once: put them where the table goes")
    return found[1], found[2]


def results(folder: Path) -> list[dict[str, Any]]:
    """Rows of a folder: large images first, small models first, then by what they measure."""
    kinds = list(WORK)

    def place(result: dict[str, Any]) -> tuple[int, ...]:
        kind, count = kind_and_count(result["row"])
        return -result["size"], MODELS.index(result["model"]), kinds.index(kind), count

    return sorted((json.loads(path.read_text()) for path in folder.glob("*.json")), key=place)


def kind_and_count(row: str) -> tuple[str, int]:
    """``video4`` is of the kind video and has four objects."""
    kind = row.rstrip("0123456789")
    return kind, int(row[len(kind) :] or 1)


def work_of(row: str) -> str:
    """What a row measures, in words."""
    kind, count = kind_and_count(row)
    words = WORK[kind].format(f"{count:,}")
    return words.removesuffix("s") if count == 1 and "{}" in WORK[kind] else words


def caption(found: list[dict[str, Any]], clock: str) -> str:
    """On what processor, with which instructions, rows were measured; nothing of those that do not say."""
    rows: dict[str, list[str]] = {}
    for result in found:
        if "hardware" in result:
            rows.setdefault(result["hardware"], []).append(f"{result['model']} {result['size']} {result['row']}")
    time = {"cpu": "processor time", "wall": "time on the clock"}[clock]
    lines = [
        f"{'These rows' if len(names) == len(found) else ', '.join(names)}: {time} of {hardware}."
        for hardware, names in rows.items()
    ]
    return "".join(f"\n{line}\n" for line in lines)


def short_table(found: list[dict[str, Any]], clock: str) -> str:
    """Markdown with a line for each row; the official code is that with clicks in batches."""
    lines = ["| " + " | ".join(SHORT) + " |", "|---" * len(SHORT) + "|"]
    for result in found:
        there = {peer for peer, numbers in result["peers"].items() if "missing" not in numbers}
        cells = {peer: _cells(result, peer, clock) for peer in there}
        peaks = [cells[peer][3] if peer in there else "-" for peer in ("masklet", "sam2", "transformers")]
        theirs = [cells[peer][1] if peer in there else "-" for peer in ("sam2", "transformers")]
        ours = cells.get("masklet", ["-"] * 6)
        floor = f"{ours[2]} of Python, torch and reading" if "floor" in result else ours[2]
        line = [
            f"{result['model']} {result['size']}", work_of(result["row"]),
            ours[0].split(" ")[0], floor, *theirs,
            ", ".join(peaks), ours[5],
        ]  # fmt: skip
        lines.append("| " + " | ".join(line) + " |")
    return "\n".join(lines) + "\n"


def table(found: list[dict[str, Any]], clock: str) -> str:
    """Markdown with a line for each library: medians, the range in brackets."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for result in found:
        for peer, numbers in result["peers"].items():
            head = [result["row"], result["model"], str(result["size"]), peer]
            if "missing" in numbers:
                lines.append("| " + " | ".join([*head, f"cannot be imported: {numbers['missing']}", *[""] * 5]) + " |")
                continue
            lines.append("| " + " | ".join([*head, *_cells(result, peer, clock)]) + " |")
    return "\n".join(lines) + "\n"


def _cells(result: dict[str, Any], peer: str, clock: str) -> list[str]:
    numbers, floor = result["peers"][peer], floor_seconds(result, clock)
    seconds = seconds_of(numbers, clock)
    ratio = ratios(result, peer, clock)
    apart = result["differences"].get(peer, {})
    usual = mean if result["row"] == "memories" else median  # its frames differ; multiply-adds are their mean
    return [
        _spread(seconds, "{:.3g}"),
        _spread(ratio, "{:.2f}") if ratio and peer != "masklet" else "",
        "" if floor is None else f"{100 * floor / usual(seconds):.0f} %",
        f"{numbers['peak']:.0f}",
        f"{numbers['steady']:.0f}",
        ", ".join(f"{name} {value:.1g}" for name, value in apart.items() if not name.startswith("object"))
        or ("" if not apart else f"{100 * max(apart.values()):.2g} % of pixels"),
    ]


def seconds_of(numbers: dict[str, Any], clock: str) -> list[float]:
    """Of passes."""
    return numbers[clock]


def ratios(result: dict[str, Any], peer: str, clock: str) -> list[float]:
    """How many times as long as masklet, pass by pass of the same turn."""
    ours = result["peers"].get("masklet", {"missing": ""})
    if "missing" in ours:
        return []
    pairs = zip(seconds_of(result["peers"][peer], clock), seconds_of(ours, clock), strict=True)
    return [theirs / mine for theirs, mine in pairs]


def floor_seconds(result: dict[str, Any], clock: str) -> float | None:
    """The official code's multiply-adds at the best rate of matrix products; None without the official code.

    Of the start: Python, torch and the weights.
    """
    if "floor" in result:
        return median(seconds_of(result["floor"], clock))
    work = next((n["gflop"] for p, n in result["peers"].items() if p.startswith("sam2") and n.get("gflop")), None)
    return None if work is None or "gflops" not in result else work / result["gflops"][clock]


def _spread(values: list[float], form: str) -> str:
    low, middle, high = (form.format(v) for v in (min(values), median(values), max(values)))
    return f"{middle} ({low} to {high})"


def plot(found: list[dict[str, Any]], clock: str, path: Path) -> None:
    """Bars of how long each library takes, masklet being 1; and seconds a frame while memory fills."""
    from matplotlib.figure import Figure

    filling = [r for r in found if r["row"] == "memories"]
    bars = [r for r in found if r["row"] != "memories"]
    names = list(dict.fromkeys(peer for r in found for peer in r["peers"]))
    heights = [1.5 + 0.16 * len(names) * max(len(bars), 1), *[3.5] * bool(filling)]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for k, peer in enumerate(names):
        there = [
            (i, ratios(r, peer, clock))
            for i, r in enumerate(bars)
            if "missing" not in r["peers"].get(peer, {"missing": ""})
        ]
        there = [(i, median(values)) for i, values in there if values]
        axes[0].barh([i + 0.8 * k / len(names) for i, _ in there], [v for _, v in there], 0.8 / len(names), label=peer)
    axes[0].set_yticks(
        [i + 0.3 for i in range(len(bars))], [f"{r['model']} {r['size']}: {work_of(r['row'])}" for r in bars]
    )
    axes[0].invert_yaxis()
    axes[0].axvline(1, color="black", linewidth=0.7)
    axes[0].set_xlabel("seconds, masklet = 1")
    axes[0].legend()
    for result in filling:
        for peer, numbers in result["peers"].items():
            if "missing" not in numbers:
                label = f"{peer} {result['model']} {result['size']}"
                by_frame = frames_of_filling(seconds_of(numbers, clock), result["conditions"]["passes"])
                axes[1].plot(range(1, len(by_frame) + 1), by_frame, marker="o", label=label)
    if filling:
        axes[1].set_xlabel("frames in memory")
        axes[1].set_ylabel("seconds a frame")
        axes[1].legend()
    figure.savefig(path, dpi=110)


def frames_of_filling(seconds: list[float], passes: int) -> list[float]:
    """Median of each frame of a clip that was tracked ``passes`` times."""
    length = len(seconds) // passes
    return [median(seconds[t::length]) for t in range(length)]
