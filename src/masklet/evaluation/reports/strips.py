"""J of every frame as strips, a row an object, short enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from ..scores import ObjectScore
from .run_record import RunRecord

_MOST_ROWS = 500
_MOST_FRAMES = 400


@dataclass(frozen=True)
class Strip:
    """A row: J in percent frame by frame; ``frames`` is "first:step" where they are evenly spaced, else a list."""

    video: str
    label: str
    mean: float
    frames: str
    j: str
    prompted: str


@dataclass(frozen=True)
class StripGroup:
    """The strips of one protocol, and how they were shortened (empty: not at all)."""

    protocol: str
    strips: tuple[Strip, ...]
    note: str


def strip_groups(record: RunRecord) -> tuple[StripGroup, ...]:
    """A group a prompt of the semi-supervised runs, and one a mode of the interactive ones, after their last round.

    Over 500 objects a row is a whole video, its objects averaged; over 500 videos the 500 worst are shown. Over 400
    frames, neighbours are averaged.
    """
    groups = []
    for prompt, score in record.vos.items():
        rows = [(s.name, o, tuple(c.frame for c in o.clicks)) for s in score.sequences for o in s.objects]
        groups.append(_group(f"from {prompt}", rows))
    for mode, scores in record.interactive.items():
        played = [(s.name, s.rounds[-1].score, tuple(r.frame for r in s.rounds if r.frame is not None)) for s in scores]
        groups.append(_group(f"{mode}, after the last round", played))
    return tuple(group for group in groups if group.strips)


Scored = tuple[str, ObjectScore, tuple[int, ...]]
"""Video, an object of it, and the frames on which it was prompted."""


def _group(protocol: str, rows: Sequence[Scored]) -> StripGroup:
    if len(rows) <= _MOST_ROWS:
        return StripGroup(protocol, tuple(_strip(v, f"object {o.object_id}", o, at) for v, o, at in rows), "")
    videos: dict[str, list[ObjectScore]] = {}
    for video, score, _ in rows:
        videos.setdefault(video, []).append(score)
    note = f"{len(rows)} objects: each row is the mean over those of a video."
    merged = [(video, f"{len(scores)} objects", _merged(scores)) for video, scores in videos.items()]
    if len(merged) > _MOST_ROWS:
        note += f" Of {len(merged)} videos the {_MOST_ROWS} worst are shown."
        merged = sorted(merged, key=lambda row: fmean(row[2].j_frames))[:_MOST_ROWS]
    return StripGroup(protocol, tuple(_strip(*row, ()) for row in merged), note)


def _merged(scores: Sequence[ObjectScore]) -> ObjectScore:
    values: dict[int, list[float]] = {}
    for score in scores:
        for frame, j in zip(score.frames, score.j_frames, strict=True):
            values.setdefault(frame, []).append(j)
    frames = tuple(sorted(values))
    means = tuple(fmean(values[t]) for t in frames)
    return ObjectScore(0, frames, means, means)


def _strip(video: str, label: str, score: ObjectScore, prompted: tuple[int, ...]) -> Strip:
    step = -(-len(score.frames) // _MOST_FRAMES)
    frames = score.frames[::step]
    j = [100 * fmean(score.j_frames[i : i + step]) for i in range(0, len(score.frames), step)]
    gaps = set(np.diff(frames).tolist())
    text = f"{frames[0]}:{gaps.pop()}" if len(gaps) == 1 else ",".join(map(str, frames))
    marks = ",".join(map(str, sorted(set(prompted))))
    return Strip(video, label, 100 * score.j, text, ",".join(f"{v:.0f}" for v in j), marks)
