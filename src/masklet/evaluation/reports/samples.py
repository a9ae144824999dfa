"""What the scores of a run are means of: a value a unit, units in groups that were drawn together.

The units are objects or masks, the groups the videos or images that they are in. Objects of a video succeed and fail
together, so it is videos that are drawn anew to see how far a mean may be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from ..images import ImageScore
from ..recall import AT, RecallScore
from ..scores import InteractiveScore, ObjectScore, SequenceScore, VosScore
from .run_record import RunRecord

Grouped = Mapping[str, Mapping[str, float]]
"""Value of each unit, by group and unit."""

MEASURES: dict[str, Callable[[ObjectScore | SequenceScore], float]] = {
    "J&F": lambda score: (score.j + score.f) / 2,
    "J": lambda score: score.j,
    "F": lambda score: score.f,
}
"""What is read off the score of an object or a sequence, in the order of the paper's tables."""


def object_values(score: VosScore, measure: str = "J&F") -> Grouped:
    """A value an object; a group is a sequence.

    Raises:
        ValueError: Two sequences have one name.
    """
    read = MEASURES[measure]
    return _grouped((s.name, f"object {o.object_id}", read(o)) for s in score.sequences for o in s.objects)


def sequence_values(score: VosScore, measure: str = "J&F") -> Grouped:
    """A value a sequence, each a group of its own.

    Raises:
        ValueError: Two sequences have one name.
    """
    return _grouped((s.name, "all objects", MEASURES[measure](s)) for s in score.sequences)


def round_values(scores: Sequence[InteractiveScore], prompted: int | None = None, measure: str = "J&F") -> Grouped:
    """A value an object after so many prompted frames (None: its mean over 1, 2 ... of them); a group is a video.

    Raises:
        ValueError: The objects have different numbers of rounds, or one is there twice.
    """
    count = round_count(scores)
    rounds = range(count) if prompted is None else [prompted - 1]
    read = MEASURES[measure]
    return _grouped(
        (s.name, f"object {s.object_id}", float(np.mean([read(s.rounds[n].score) for n in rounds]))) for s in scores
    )


def round_count(scores: Sequence[InteractiveScore]) -> int:
    """Rounds that every object went through.

    Raises:
        ValueError: There is no object, or their numbers differ.
    """
    counts = sorted({len(s.rounds) for s in scores})
    if len(counts) != 1:
        raise ValueError(f"got objects with {counts} rounds, expected one number for all: score them in one run")
    return counts[0]


def mask_values(score: ImageScore) -> dict[str, Grouped]:
    """A value (IoU) a mask, by prompt; a group is an image.

    Raises:
        ValueError: Two images have one name.
    """
    masks = score.masks
    clicks = sorted({n for m in masks for n in m.after_clicks})
    prompts = {
        click_name(n): [(m.name, str(m.index), m.after_clicks[n]) for m in masks if n in m.after_clicks] for n in clicks
    }
    prompts["best of three"] = [(m.name, str(m.index), m.best_of_candidates) for m in masks]
    prompts["box"] = [(m.name, str(m.index), m.box) for m in masks if m.box is not None]
    return {prompt: _grouped(values) for prompt, values in prompts.items() if values}


def recall_values(scores: Sequence[RecallScore]) -> dict[str, Grouped]:
    """A value (share of the thresholds at which it is found) a mask, by number of proposals; a group is an image.

    Raises:
        ValueError: Two images have one name.
    """
    found = {f"AR@{n}": _grouped((s.name, str(s.index), s.found[n]) for s in scores) for n in AT}
    return found | {f"covered@{n}": _grouped((s.name, str(s.index), s.covered[n]) for s in scores) for n in AT}


def click_name(count: int) -> str:
    """How reports call a prompt of so many clicks."""
    return "1 click" if count == 1 else f"{count} clicks"


def quantities(record: RunRecord) -> dict[str, Grouped]:
    """The main quantity of every protocol of a run, by name: J&F over objects, IoU over masks."""
    found = {f"VOS from {prompt}, J&F": object_values(score) for prompt, score in record.vos.items()}
    found |= {f"interactive {mode}, mean J&F": round_values(s) for mode, s in record.interactive.items() if s}
    for name, score in record.images.items():
        found |= {f"{name} from {prompt}, mIoU": values for prompt, values in mask_values(score).items()}
    for name, scores in record.automatic.items():
        found |= {f"{name}, automatic masks, {what}": values for what, values in recall_values(scores).items()}
    return found


def _grouped(values: Iterable[tuple[str, str, float]]) -> Grouped:
    found: dict[str, dict[str, float]] = {}
    for group, unit, value in values:
        units = found.setdefault(group, {})
        if unit in units:
            raise ValueError(f"{unit} of {group} is scored twice: give each video and image a name of its own")
        units[unit] = value
    return found
