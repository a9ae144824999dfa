"""Measuring a data set: how many, how large, how long, and how often objects disappear."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from ..video.atomic import replacing, write_bytes
from .records import AnnotatedVideo

DISAPPEARANCE = "share of masklets that are not visible in an annotated frame between two in which they are"
"""SA-V's disappearance rate: masklets that disappear at least once and come back.

Frames of which the truth is not known do not count.
"""

_EDGES = np.geomspace(1e-6, 1.0, 61)
_TENTH = 0.1
_FILES = ("stats.json", "areas.png", "lengths.png", "objects.png", "sizes.png")


class DatasetStats:
    """Sums over the videos that were added; memory grows by a few numbers a masklet."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.lengths: list[int] = []
        self.annotated: list[int] = []
        self.sizes: list[tuple[int, int]] = []
        self.objects: list[int] = []
        self.unreadable = 0
        self._visible: list[int] = []  # frames in which each masklet is visible
        self._areas: list[float] = []  # mean area of each masklet
        self._returned = 0
        self._small = 0
        self._masks: Integer[np.ndarray, " bins"] = np.zeros(len(_EDGES) - 1, np.int64)

    def add(self, video: AnnotatedVideo) -> None:
        """Decode every mask of a video and count it; where that fails, nothing of the video is counted.

        Raises:
            ValueError: A file of it is damaged.
            OSError: A file of it is missing.
        """
        height, width = video.size
        length, annotated = video.frame_count, video.annotated
        areas: dict[int, list[float]] = {}
        visible: dict[int, list[bool]] = {}
        for index in annotated:
            masks = video.masks(index)
            for object_id, mask in masks.items():
                areas.setdefault(object_id, []).append(int(np.count_nonzero(mask)) / (height * width))
            for object_id in areas.keys() - video.unknown(index):
                visible.setdefault(object_id, []).append(object_id in masks)
        self.lengths.append(length)
        self.annotated.append(len(annotated))
        self.sizes.append((height, width))
        self.objects.append(len(areas))
        for object_id, one in areas.items():
            self._visible.append(len(one))
            self._areas.append(float(np.mean(one)))
            self._returned += comes_back(visible[object_id])
            self._small += sum(area < _TENTH for area in one)
            self._masks += np.histogram(np.clip(one, _EDGES[0], _EDGES[-1]), _EDGES)[0]

    def summary(self) -> dict[str, Any]:
        """All numbers, as they are written to ``stats.json``; shares and areas are 0 to 1."""
        masks, masklets = int(self._masks.sum()), len(self._areas)
        return {
            "videos": len(self.lengths),
            "unreadable": self.unreadable,
            "frames": sum(self.lengths),
            "annotated_frames": sum(self.annotated),
            "masklets": masklets,
            "masks": masks,
            "frames_per_video": spread(self.lengths),
            "annotated_frames_per_video": spread(self.annotated),
            "height": spread([height for height, _ in self.sizes]),
            "width": spread([width for _, width in self.sizes]),
            "objects_per_video": spread(self.objects),
            "visible_frames_per_masklet": spread(self._visible),
            "area_per_masklet": spread(self._areas),
            "masks_below_a_tenth": self._small / masks if masks else None,
            "disappearance_rate": self._returned / masklets if masklets else None,
            "disappearance_definition": DISAPPEARANCE,
            "areas": {"edges": _EDGES.tolist(), "counts": self._masks.tolist()},
        }

    def write(self, folder: Path) -> list[Path]:
        """Write ``stats.json`` and plots into a folder, each complete or not at all; gives the files.

        Raises:
            ImportError: matplotlib is not installed.
            OSError: A file cannot be written.
        """
        paths = [folder / name for name in _FILES]
        areas, lengths, objects, sizes = paths[1:]
        _plot(areas, _EDGES, self._masks, "area of a mask as a share of the image", "masks", log=True)
        _plot(lengths, *_histogram(self.lengths), "frames of a video", "videos")
        _plot(objects, *_histogram(self.objects), "objects of a video", "videos")
        _plot(sizes, *_histogram([min(size) for size in self.sizes]), "shorter side in pixels", "videos")
        write_bytes(paths[0], json.dumps(self.summary(), indent=2).encode("ascii"))
        return paths


def comes_back(visible: Sequence[bool]) -> bool:
    """Whether something is visible, then not, then visible again."""
    shown = np.flatnonzero(visible)
    return len(shown) > 0 and bool(shown[-1] - shown[0] + 1 > len(shown))


def spread(values: Sequence[int] | Sequence[float]) -> dict[str, float] | None:
    """Least, median, mean, ninth decile and greatest of some numbers; None of none."""
    if not values:
        return None
    array = np.asarray(values, np.float64)
    low, middle, high, top = np.percentile(array, (0, 50, 90, 100)).tolist()
    return {"min": low, "median": middle, "mean": float(array.mean()), "p90": high, "max": top}


def _histogram(values: Sequence[int]) -> tuple[Float[np.ndarray, " edges"], Integer[np.ndarray, " bins"]]:
    """At most 50 bins of whole numbers, with edges between these."""
    low, high = (min(values), max(values)) if values else (0, 1)
    step = max(1, -(-(high - low + 1) // 50))
    edges = np.arange(low, high + step + 1, step) - 0.5
    return edges, np.histogram(values, edges)[0]


def _plot(
    path: Path,
    edges: Float[np.ndarray, " edges"],
    counts: Integer[np.ndarray, " bins"],
    what: str,
    of: str,
    log: bool = False,
) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'masklet[train]'") from error
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.stairs(counts, edges, fill=True)
    axes.set(xlabel=what, ylabel=of, xscale="log" if log else "linear")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
