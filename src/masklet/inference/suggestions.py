"""Which frames to correct next: doubtful ones, rather those that memory knows little of, and no two alike.

The choice is that of XMem++ (farthest point first, in memory space), weighted by doubt:

    score = doubt * (1 + novelty) / 2

Doubt is 1 - confidence where an object is judged to be there, else the probability that it is there after all. Novelty,
0..1, is the distance to the most alike of the prompted and the already suggested frames, by keys that every tracked
frame leaves (:mod:`~masklet.inference.memory_key`). On clips with truth low confidence finds frames that are worth
correcting, novelty alone does hardly, so that it only weighs. Stability and temporal consistency tell less of J than
predicted IoU does, and consistency needs pixels, so that neither counts. Numbers: docs/sessions.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from .results import Shown, probability
from .track import ObjectTrack

Reason = Literal["low predicted IoU", "unstable mask", "presence in doubt", "unlike prompted frames"]
REASONS: tuple[Reason, ...] = get_args(Reason)

LOW_IOU = 0.7  # about 1 in 20 of nano's masks with a J above .75 is below one of these three
UNSTABLE = 0.8
SURE = 0.95  # probability of either
UNLIKE = 0.75  # novelty


@dataclass(frozen=True)
class Suggestion:
    """A frame worth correcting.

    Attributes:
        frame: Index of the frame.
        objects: Those that are doubtful there, the most doubtful first.
        score: Sum over all objects of doubt, up to halved where memory knows frames alike; for comparison only.
        reasons: What stands out; empty: nothing does, other frames are just surer.
    """

    frame: int
    objects: tuple[int, ...]
    score: float
    reasons: tuple[Reason, ...]


def suggest(k: int, tracks: Mapping[int, ObjectTrack]) -> list[Suggestion]:
    """At most ``k`` frames whose correction is expected to help most, in that order; the same for the same tracks.

    Only tracked frames come, and no locked ones, none with a prompt, and none so near to a prompted or to another
    suggested frame that it reads the memory map of that one as a recent one.

    Raises:
        ValueError: ``k`` is below 1, or the session does not keep its results.
    """
    if k < 1:
        raise ValueError(f"got k = {k}, expected the number of frames to suggest, at least 1")
    if any(track.notes and not track.shown for track in tracks.values()):
        raise ValueError("to suggest frames the session must keep its results: SessionOptions(keep_results=True)")
    outlooks = {i: _Outlook(track) for i, track in tracks.items() if track.notes}
    if not outlooks:
        return []
    frames = np.unique(np.concatenate([one.frames for one in outlooks.values()]))
    chosen: list[Suggestion] = []
    while len(chosen) < k:
        total = np.zeros(len(frames))
        for one in outlooks.values():
            total[np.searchsorted(frames, one.frames)] += one.scores()
        best = int(total.argmax())
        if total[best] <= 0:
            break
        t = int(frames[best])
        chosen.append(_suggestion(t, float(total[best]), outlooks))
        for one in outlooks.values():
            one.settle(t)
    return chosen


class _Outlook:
    """How one object stands on its tracked frames, as arrays over them."""

    def __init__(self, track: ObjectTrack) -> None:
        found = [t for t in sorted(track.notes) if t in track.shown]
        self.frames = np.array(found, int)
        self._shown, self._reach = track.shown, track.bank.limits.recent_maps
        self._keys = np.array([track.notes[t].key for t in found], np.float32)
        shown = [track.shown[t] for t in found]
        self._doubt = np.array([one.doubt for one in shown])
        is_open = [track.lives(t) and not (track.locked(t) or one.absent) for t, one in zip(found, shown, strict=True)]
        self._open = np.array(is_open, bool)
        for t in track.prompts:
            self._close(t)
        self._prompted = [t for t in track.prompts if t in track.notes]
        far = self._distances(self._prompted)
        self._farthest = float(far[self._open].max(initial=0)) or 1.0
        self._novelty = np.minimum(far / self._farthest, 1)

    def scores(self) -> np.ndarray:
        """Score of each frame, 0 where this object is not to be corrected."""
        return self._open * self._doubt * (1 + self._novelty) / 2

    def score(self, t: int) -> float:
        """Of one frame."""
        return float(self.scores()[self.frames == t].sum())

    def reasons(self, t: int) -> list[Reason]:
        """What stands out on a frame."""
        one: Shown = self._shown[t]
        there = probability(one.presence)
        unlike = self._novelty[self.frames == t].max() > UNLIKE
        found: list[tuple[Reason, bool]] = [
            ("low predicted IoU", one.presence > 0 and one.iou < LOW_IOU),
            ("unstable mask", one.stability < UNSTABLE),
            ("presence in doubt", 1 - SURE < there < SURE),
            ("unlike prompted frames", bool(self._prompted and unlike)),
        ]
        return [reason for reason, holds in found if holds]

    def settle(self, t: int) -> None:
        """Go on as if a frame had been corrected."""
        self._close(t)
        self._novelty = np.minimum(self._novelty, self._distances([t]) / self._farthest)

    def _close(self, t: int) -> None:
        self._open &= np.abs(self.frames - t) > self._reach

    def _distances(self, others: list[int]) -> np.ndarray:
        """From each frame to the most alike of some others; 1 where none of them is known."""
        known = self._keys[np.isin(self.frames, others)]
        if not len(known):
            return np.ones(len(self.frames))
        return np.maximum(1 - (self._keys @ known.T).max(1), 0)


def _suggestion(t: int, total: float, outlooks: Mapping[int, _Outlook]) -> Suggestion:
    shares = {i: one.score(t) for i, one in outlooks.items()}
    most = max(shares.values())
    objects = sorted((i for i, share in shares.items() if share >= most / 2), key=lambda i: -shares[i])
    found = {reason for i in objects for reason in outlooks[i].reasons(t)}
    return Suggestion(t, tuple(objects), total, tuple(reason for reason in REASONS if reason in found))
