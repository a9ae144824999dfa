"""Scores of one video from masks that come frame by frame: of a tracker at work, or from files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Bool

from ..data.records import AnnotatedVideo
from .metrics import frame_scores
from .rules import RULES, Rule, nothing_to_score
from .scores import Click, ObjectScore, SequenceScore

FrameMasks = Mapping[int, Bool[np.ndarray, "h w"]]


def score_frames(
    video: AnnotatedVideo,
    predicted: Iterable[tuple[int, FrameMasks]],
    rule: Rule = RULES["plain"],
    *,
    clicks: Mapping[int, tuple[Click, ...]] | None = None,
) -> SequenceScore:
    """Score the masks of a video against its truth; one frame of both is held at a time.

    An object that is left out of a frame's masks counts as empty there. A frame that is left out is an error where it
    would count. Frames without truth, and objects that the truth never shows, are passed over.

    Args:
        video: The video with its truth.
        predicted: Frames in rising order with masks by object id, at the size of the video.
        rule: Which frames count.
        clicks: What was clicked for each object, to be kept with its score; looked at after the last frame.

    Raises:
        ValueError: Nothing can be scored, a frame is missing, frames do not rise, or a mask has another size.
    """
    tally = _Tally(video, rule)
    for frame, masks in predicted:
        tally.add(frame, masks)
    return tally.finish(clicks or {})


class _Tally:
    """The values so far of one video."""

    def __init__(self, video: AnnotatedVideo, rule: Rule) -> None:
        self._video, self._rule = video, rule
        self._awaited = list(reversed(video.annotated))
        self._absent = np.zeros(video.size, bool)
        self._latest = -1
        self._missing: list[int] = []
        self._windows: dict[int, frozenset[int]] = {}  # frames in which an object may count
        self._values: dict[int, dict[int, tuple[float, float]]] = {}
        self._true: set[int] = set()  # objects that the truth shows in a frame that counts

    def add(self, frame: int, masks: FrameMasks) -> None:
        """Take the masks of a frame."""
        if frame <= self._latest:
            raise ValueError(f"got frame {frame} of {self._video.name} after frame {self._latest}: give them in order")
        self._latest = frame
        self._pass_over(frame)
        if not self._awaited or self._awaited[-1] != frame:
            return
        self._awaited.pop()
        truth = self._truth(frame)
        if self._rule.until_seen:
            for object_id, mask in masks.items():
                if object_id not in self._values and np.any(mask):
                    self._notice(object_id, frame)
        for object_id, values in self._values.items():
            if frame in self._windows[object_id]:
                mask, gt = masks.get(object_id, self._absent), truth.get(object_id, self._absent)
                values[frame] = self._compare(frame, object_id, np.asarray(mask), gt)
                if object_id in truth:
                    self._true.add(object_id)

    def finish(self, clicks: Mapping[int, tuple[Click, ...]]) -> SequenceScore:
        """Make the scores."""
        self._pass_over(None)
        video = self._video
        missing = [t for t in self._missing if any(t in window for window in self._windows.values())]
        if missing:
            names = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
            raise ValueError(
                f"there are no masks for frame {missing[0]} of {video.name} ({len(missing)} are missing: {names}): "
                "every frame that is scored needs an answer, an empty one where no object is found"
            )
        counted = self._true if self._rule.until_seen else self._values
        values = {o: self._values[o] for o in sorted(counted) if self._values[o]}
        if not values:
            if not self._windows:
                raise ValueError(f"{video.name} has no mask of any object in {video.truth.where}: leave it out")
            raise ValueError(nothing_to_score(video, self._rule))
        scores = []
        for object_id, each in values.items():
            j, f = zip(*each.values(), strict=True)
            scores.append(ObjectScore(object_id, tuple(each), j, f, clicks.get(object_id, ())))
        return SequenceScore(video.name, tuple(scores))

    def _pass_over(self, frame: int | None) -> None:
        """Annotated frames before this one (None: all that are left) have no answer; their truth shows new objects."""
        while self._awaited and (frame is None or self._awaited[-1] < frame):
            self._missing.append(self._awaited.pop())
            self._truth(self._missing[-1])

    def _truth(self, frame: int) -> FrameMasks:
        truth = self._video.masks(frame)
        for object_id in truth:
            self._notice(object_id, frame)
        return truth

    def _notice(self, object_id: int, frame: int) -> None:
        """Start to score an object, in a frame that shows it."""
        if object_id in self._values or object_id == self._rule.void:
            return
        window = self._windows.get(object_id)
        if window is None:
            window = self._windows[object_id] = frozenset(self._rule.frames(self._video, object_id, frame))
        if not self._rule.until_seen or frame in window:
            self._values[object_id] = {}

    def _compare(self, frame: int, object_id: int, mask: np.ndarray, gt: np.ndarray) -> tuple[float, float]:
        if mask.shape != gt.shape:
            raise ValueError(
                f"the mask of object {object_id} in frame {frame} of {self._video.name} has the shape {mask.shape}, "
                f"the video has {gt.shape}: give masks at the size of the video"
            )
        (j,), (f,) = frame_scores(mask[None], gt[None])
        return float(j), float(f)
