"""Video object segmentation: prompt each object on the first frame that shows it, track, score J and F."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..data.records import AnnotatedVideo
from ..interaction.clicks import box_of, center_click
from .metrics import boundary_f, jaccard
from .scores import ObjectScore, SequenceScore, VosScore

if TYPE_CHECKING:
    from ..tracker import Tracker

Prompt = Literal["mask", "box", "click"]
OnFrame = Callable[[AnnotatedVideo, int, Mapping[int, np.ndarray]], None]


def evaluate_vos(
    tracker: Tracker,
    videos: Iterable[AnnotatedVideo],
    prompt: Prompt = "mask",
    *,
    clicks: int = 1,
    on_frame: OnFrame | None = None,
    on_sequence: Callable[[SequenceScore], None] | None = None,
) -> VosScore:
    """Score a tracker on videos; :func:`iter_vos` with the results gathered.

    Args:
        tracker: What is scored.
        videos: The sequences, of a data set in any format: what :func:`masklet.data.open.open_dataset` gives.
        prompt: The first frame's prompt: its true mask, its exact box, or clicks.
        clicks: Number of clicks: the first in the middle of the object, each next one in the middle of the error.
        on_frame: Called with the video, the frame and the tracker's masks of each propagated frame.
        on_sequence: Called with the score of each finished sequence.

    Raises:
        ValueError: As :func:`score_sequence`, or there is no sequence.
    """
    scores = []
    for score in iter_vos(tracker, videos, prompt, clicks=clicks, on_frame=on_frame):
        scores.append(score)
        if on_sequence is not None:
            on_sequence(score)
    if not scores:
        raise ValueError("there is no sequence to evaluate: pass at least one")
    return VosScore(tuple(scores))


def iter_vos(
    tracker: Tracker,
    videos: Iterable[AnnotatedVideo],
    prompt: Prompt = "mask",
    *,
    clicks: int = 1,
    on_frame: OnFrame | None = None,
) -> Iterator[SequenceScore]:
    """Yield the score of one sequence after the other."""
    for video in videos:
        yield score_sequence(tracker, video, prompt, clicks=clicks, on_frame=on_frame)


def score_sequence(
    tracker: Tracker,
    video: AnnotatedVideo,
    prompt: Prompt = "mask",
    *,
    clicks: int = 1,
    on_frame: OnFrame | None = None,
) -> SequenceScore:
    """Prompt every object of a video on the first frame that shows it, propagate once, score the annotated frames.

    Which objects and frames count is what :func:`scored_frames` says. An object that the tracker leaves out of a
    frame's masks counts as empty there.

    Raises:
        ValueError: There is nothing to be scored; the tracker leaves out a frame, or gives a mask of another size.
    """
    first = video.first_frames()
    scored = scored_frames(video, first)
    tracker.open(video.images)
    for object_id in scored:
        gt = video.masks(first[object_id], (object_id,))[object_id]
        prompt_object(tracker, first[object_id], object_id, gt, prompt, clicks)
    values: dict[int, dict[int, tuple[float, float]]] = {o: {} for o in scored}
    for frame, masks in tracker.propagate(start=min(first[o] for o in scored)):
        if on_frame is not None:
            on_frame(video, frame, masks)
        wanted = [o for o, frames in scored.items() if frame in frames]
        if not wanted:
            continue
        truth, absent = video.masks(frame, wanted), np.zeros(video.size, bool)
        for object_id in wanted:
            gt = truth.get(object_id, absent)
            mask = np.asarray(masks.get(object_id, absent))
            values[object_id][frame] = float(jaccard(mask, gt)), boundary_f(mask, gt)
    return SequenceScore(video.name, tuple(_object_score(video, o, scored[o], values[o]) for o in scored))


def scored_frames(video: AnnotatedVideo, first: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
    """Frames in which each object is scored: the annotated ones after its prompt except the last one of the video.

    For objects of the first frame this is the rule of DAVIS (first and last frame skipped). A frame is left out for
    objects of which its annotation says nothing, and an object is left out that has no such frame.

    Args:
        video: The video.
        first: Frame of each object's prompt, as ``video.first_frames()`` gives it.

    Raises:
        ValueError: No object is left.
    """
    if not first:
        raise ValueError(f"{video.name} has no mask of any object in {video.truth.where}: leave it out")
    last = video.annotated[-1]
    unknown = {t: video.unknown(t) for t in video.annotated}
    frames = {o: tuple(t for t in unknown if start < t < last and o not in unknown[t]) for o, start in first.items()}
    if not any(frames.values()):
        raise ValueError(
            f"no object of {video.name} can be scored: none has an annotated frame between the first that shows it and "
            f"the last annotated one ({last}), which is not scored; leave the video out"
        )
    return {o: each for o, each in frames.items() if each}


def prompt_object(
    tracker: Tracker, frame: int, object_id: int, gt: np.ndarray, prompt: Prompt, clicks: int = 1
) -> np.ndarray:
    """Prompt one object with what a user who sees its true mask would give.

    Every click after the first is placed on the answer so far, and the call passes all clicks of the object on this
    frame: the tracker lets them replace the earlier ones.

    Returns:
        The tracker's mask after the last prompt.

    Raises:
        ValueError: The prompt has an unknown name, or clicks is below 1.
    """
    if prompt == "mask":
        return tracker.prompt(frame, object_id, mask=gt)
    if prompt == "box":
        return tracker.prompt(frame, object_id, box=box_of(gt))
    if prompt != "click" or clicks < 1:
        raise ValueError(f"got prompt {prompt!r} with {clicks} clicks, expected mask, box, or click with at least 1")
    xy, label = center_click(gt)
    points, labels = [xy], [label]
    answer = _click(tracker, frame, object_id, points, labels)
    for _ in range(clicks - 1):
        xy, label = center_click(gt, np.asarray(answer))
        points.append(xy)
        labels.append(label)
        answer = _click(tracker, frame, object_id, points, labels)
    return answer


def _click(
    tracker: Tracker, frame: int, object_id: int, points: list[tuple[float, float]], labels: list[int]
) -> np.ndarray:
    return tracker.prompt(frame, object_id, points=np.array(points, np.float32), labels=np.array(labels, np.int64))


def _object_score(
    video: AnnotatedVideo, object_id: int, frames: tuple[int, ...], values: Mapping[int, tuple[float, float]]
) -> ObjectScore:
    missing = [t for t in frames if t not in values]
    if missing:
        raise ValueError(
            f"the tracker gave no result for frame {missing[0]} of {video.name} ({len(missing)} are missing): "
            "propagate must yield every frame up to the last one"
        )
    j, f = zip(*(values[t] for t in frames), strict=True)
    return ObjectScore(object_id, frames, j, f)
