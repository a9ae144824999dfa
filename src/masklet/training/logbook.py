"""What a run leaves to look at: TensorBoard curves, and lines of text."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from jaxtyping import UInt8

from ..video.atomic import write_bytes
from .loop import Report

TERMS = ("focal", "dice", "iou", "presence")
EARLY = 10
"""Steps after which the first line shows the pace."""
PACE = 100
"""Steps over which it is measured."""


class Logbook:
    """Writes reports below a folder: ``curves/`` for TensorBoard, ``log.txt`` to read, ``samples.png`` to look at.

    Args:
        folder: Folder of the run.
        every: Steps between lines and points; values between them are averaged.
        clock: Seconds, from which the time that is left is told.

    Raises:
        ModuleNotFoundError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, every: int = 20, clock: Callable[[], float] = time.monotonic) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self.every, self._folder = every, folder
        self._curves = SummaryWriter(str(folder / "curves"))
        self._text = (folder / "log.txt").open("a")
        self._kept: list[Report] = []
        self._taken, self._clock = 0, clock
        self._passed: deque[tuple[float, float]] = deque(maxlen=PACE + 1)  # when how much of the run was over

    def __enter__(self) -> Logbook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._curves.close()
        self._text.close()

    def add(self, report: Report) -> list[str]:
        """Take a report; returns the lines of text that there are to show: of the last steps, of a validation."""
        self._kept.append(report)
        self._taken += 1
        self._passed.append((self._clock(), report.progress))
        lines = []
        if report.step % self.every == 0 or report.progress >= 1 or self._taken == EARLY:
            lines.append(self._written(self._line(report)))
            self._points(report.step)
            self._kept.clear()
        return [*lines, self.score(report.step, report.scores)] if report.scores else lines

    def score(self, step: int, scores: Mapping[str, float]) -> str:
        """Take the scores of a validation after so many steps; returns a line of text."""
        for name, value in scores.items():
            self._curves.add_scalar(f"validation/{name}", value, step)
        return self._written(f"step {step}  validation: " + ", ".join(f"{name} {scores[name]:.3f}" for name in scores))

    def show(self, sheet: UInt8[np.ndarray, "h w 3"], step: int) -> None:
        """Keep a picture of samples, as ``samples.png`` and in TensorBoard."""
        write_bytes(self._folder / "samples.png", cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
        self._curves.add_image("samples", sheet, step, dataformats="HWC")

    def _written(self, line: str) -> str:
        self._text.write(line + "\n")
        self._text.flush()
        return line

    def _points(self, step: int) -> None:
        for kind in ("image", "clip"):
            of_kind = [report for report in self._kept if report.kind == kind and not report.skipped]
            if not of_kind:
                continue
            values = {
                "loss": [r.loss for r in of_kind],
                **{f"loss/{name}": [r.terms[i] for r in of_kind] for i, name in enumerate(TERMS)},
                "iou": [r.iou for r in of_kind],
                "iou_prompted": [r.iou_prompted for r in of_kind],
                "seconds": [r.seconds for r in of_kind],
                "samples_a_second": [len(r.names) / max(r.seconds, 1e-9) for r in of_kind],
            }
            for name, each in values.items():
                self._curves.add_scalar(f"{kind}/{name}", _mean(each), step)
        last = self._kept[-1]
        for name, value in (("norm", last.norm), ("rate", last.rate), ("waited", last.waited)):
            self._curves.add_scalar(f"run/{name}", value, step)
        self._curves.add_scalar("run/skipped", sum(r.skipped for r in self._kept), step)

    def _line(self, report: Report) -> str:
        parts = [f"step {report.step}", f"{report.progress:6.1%}"]
        for kind in ("image", "clip"):
            of_kind = [r for r in self._kept if r.kind == kind and not r.skipped]
            if of_kind:
                loss, iou = (
                    sum(values) / len(of_kind) for values in zip(*((r.loss, r.iou) for r in of_kind), strict=True)
                )
                parts.append(f"{kind}s: loss {loss:.3f} iou {iou:.3f}")
        seconds = sum(r.seconds for r in self._kept) / len(self._kept)
        waited = sum(r.waited for r in self._kept) / len(self._kept)
        parts.append(f"{seconds:.2f} s a step, {waited:.2f} s waiting, norm {report.norm:.2f}")
        left = self._left()
        if left is not None:
            parts.append(f"{spoken(left)} left")
        return "  ".join(parts)

    def _left(self) -> float | None:
        """Seconds until the run is over, at the pace of the last steps."""
        (began, first), (now, last) = self._passed[0], self._passed[-1]
        if last >= 1 or last <= first:
            return None
        return (now - began) * (1 - last) / (last - first)


def spoken(seconds: float) -> str:
    """A stretch of time, to two digits or so."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 9.95 else f"{hours:,.0f} h"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
