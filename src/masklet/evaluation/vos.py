"""Video object segmentation: prompt each object on the first frame that shows it, track, score J and F."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..data.records import AnnotatedVideo
from ..interaction.clicks import box_of, center_click
from ..masks import rle
from .rules import RULES, Rule, scored_frames
from .scores import Click, SequenceScore, VosScore
from .scoring import FrameMasks, score_frames

if TYPE_CHECKING:
    from ..tracker import Tracker

Prompt = Literal["mask", "box", "click"]
Later = Literal["together", "separately"]
"""How objects that appear later than others are tracked: in the same run, all prompts given before it starts; or in a
run of their own, and what the runs give is merged: the protocol of LVOS and YouTube-VOS."""
OnFrame = Callable[[AnnotatedVideo, int, Mapping[int, np.ndarray]], None]


def evaluate_vos(
    tracker: Tracker,
    videos: Iterable[AnnotatedVideo],
    prompt: Prompt = "mask",
    *,
    clicks: int = 1,
    rule: Rule = RULES["plain"],
    later: Later = "together",
    on_frame: OnFrame | None = None,
    on_sequence: Callable[[SequenceScore], None] | None = None,
) -> VosScore:
    """Score a tracker on videos; :func:`iter_vos` with the results gathered.

    Args:
        tracker: What is scored.
        videos: The sequences, of a data set in any format: what :func:`masklet.data.open.open_dataset` gives.
        prompt: The first frame's prompt: its true mask, its exact box, or clicks.
        clicks: Number of clicks: the first in the middle of the object, each next one in the middle of the error.
        rule: Which frames count.
        later: How objects that appear later are tracked.
        on_frame: Called with the video, the frame and the tracker's masks of each propagated frame.
        on_sequence: Called with the score of each finished sequence.

    Raises:
        ValueError: As :func:`score_sequence`, or there is no sequence.
    """
    scores = []
    for score in iter_vos(tracker, videos, prompt, clicks=clicks, rule=rule, later=later, on_frame=on_frame):
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
    rule: Rule = RULES["plain"],
    later: Later = "together",
    on_frame: OnFrame | None = None,
) -> Iterator[SequenceScore]:
    """Yield the score of one sequence after the other."""
    for video in videos:
        yield score_sequence(tracker, video, prompt, clicks=clicks, rule=rule, later=later, on_frame=on_frame)


def score_sequence(
    tracker: Tracker,
    video: AnnotatedVideo,
    prompt: Prompt = "mask",
    *,
    clicks: int = 1,
    rule: Rule = RULES["plain"],
    later: Later = "together",
    on_frame: OnFrame | None = None,
) -> SequenceScore:
    """Prompt every object of a video on the first frame that shows it, propagate, score the annotated frames.

    Which objects and frames count is what the rule says; an object without such a frame is not prompted. An object
    that the tracker leaves out of a frame's masks counts as empty there. Frames before the first prompt count as empty.

    Raises:
        ValueError: There is nothing to be scored; the tracker leaves out a frame, or gives a mask of another size.
    """
    first = video.first_frames()
    prompts = {o: first[o] for o in scored_frames(video, first, rule)}
    clicked: dict[int, tuple[Click, ...]] = {}  # filled while the frames come
    tracked = track_sequence(tracker, video, prompts, prompt, clicks=clicks, later=later, clicked=clicked)
    if on_frame is not None:
        tracked = _shown(video, tracked, on_frame)
    before: Iterator[tuple[int, FrameMasks]] = ((t, {}) for t in range(min(prompts.values())))
    return score_frames(video, chain(before, tracked), rule, clicks=clicked)


def track_sequence(
    tracker: Tracker,
    video: AnnotatedVideo,
    prompts: Mapping[int, int],
    prompt: Prompt = "mask",
    *,
    clicks: int = 1,
    later: Later = "together",
    clicked: dict[int, tuple[Click, ...]] | None = None,
) -> Iterator[tuple[int, FrameMasks]]:
    """Prompt objects of a video with their truth and yield the masks of each frame from the first prompt on.

    Tracked separately, each group of objects that appear in the same frame has a run of its own; where masks of
    different runs overlap, the lowest id wins. The official protocol decides by logits there, which trackers do not
    give. What the runs give is kept as run lengths, and frames come when all runs are done.

    Args:
        tracker: What tracks.
        video: The video.
        prompts: Frame of the prompt of each object, such as ``video.first_frames()``.
        prompt: What is given there.
        clicks: Number of clicks.
        later: How objects that appear later are tracked.
        clicked: Gets the clicks of each object when it is prompted.

    Raises:
        ValueError: A run leaves out a frame; or as :func:`prompt_object`.
    """
    groups = {frame: [o for o in prompts if prompts[o] == frame] for frame in sorted({*prompts.values()})}
    if later == "together" or len(groups) == 1:
        yield from _run(tracker, video, prompts, prompt, clicks, clicked)
        return
    runs: list[dict[int, dict[int, rle.Rle]]] = []
    for start, objects in groups.items():
        run = _run(tracker, video, dict.fromkeys(objects, start), prompt, clicks, clicked)
        runs.append({frame: {o: rle.encode(np.asarray(mask)) for o, mask in masks.items()} for frame, masks in run})
    for frame in sorted(set().union(*runs)):
        begun = [run for run, start in zip(runs, groups, strict=True) if start <= frame]
        if not all(frame in run for run in begun):
            raise ValueError(
                f"the tracker gave no result for frame {frame} of {video.name} in one of {len(begun)} runs: "
                "propagate must yield every frame up to the last one"
            )
        yield frame, _merged({o: code for run in begun for o, code in run[frame].items()})


def prompt_object(
    tracker: Tracker, frame: int, object_id: int, gt: np.ndarray, prompt: Prompt, clicks: int = 1
) -> tuple[np.ndarray, tuple[Click, ...]]:
    """Prompt one object with what a user who sees its true mask would give.

    Every click after the first is placed on the answer so far, and the call passes all clicks of the object on this
    frame: the tracker lets them replace the earlier ones.

    Returns:
        The tracker's mask after the last prompt, and the clicks in order; none for masks and boxes.

    Raises:
        ValueError: The prompt has an unknown name, or clicks is below 1.
    """
    if prompt == "mask":
        return tracker.prompt(frame, object_id, mask=gt), ()
    if prompt == "box":
        return tracker.prompt(frame, object_id, box=box_of(gt)), ()
    if prompt != "click" or clicks < 1:
        raise ValueError(f"got prompt {prompt!r} with {clicks} clicks, expected mask, box, or click with at least 1")
    given: tuple[Click, ...] = ()
    answer = None
    for _ in range(clicks):
        (x, y), label = center_click(gt, None if answer is None else np.asarray(answer))
        given = (*given, Click(frame, x, y, label))
        points = np.array([(click.x, click.y) for click in given], np.float32)
        labels = np.array([click.label for click in given], np.int64)
        answer = tracker.prompt(frame, object_id, points=points, labels=labels)
    assert answer is not None
    return answer, given


def _run(
    tracker: Tracker,
    video: AnnotatedVideo,
    prompts: Mapping[int, int],
    prompt: Prompt,
    clicks: int,
    clicked: dict[int, tuple[Click, ...]] | None,
) -> Iterator[tuple[int, FrameMasks]]:
    """One run over a video with all prompts given before it starts."""
    tracker.open(video.images)
    for object_id, frame in prompts.items():
        gt = video.masks(frame, (object_id,))[object_id]
        _, given = prompt_object(tracker, frame, object_id, gt, prompt, clicks)
        if clicked is not None:
            clicked[object_id] = given
    return tracker.propagate(start=min(prompts.values()))


def _merged(codes: Mapping[int, rle.Rle]) -> dict[int, np.ndarray]:
    """Masks without overlaps: the lowest id wins."""
    masks: dict[int, np.ndarray] = {}
    taken: np.ndarray | None = None
    for object_id in sorted(codes):
        mask = rle.decode(codes[object_id])
        masks[object_id] = mask if taken is None else mask & ~taken
        taken = mask if taken is None else mask | taken
    return masks


def _shown(
    video: AnnotatedVideo, tracked: Iterable[tuple[int, FrameMasks]], on_frame: OnFrame
) -> Iterator[tuple[int, FrameMasks]]:
    for frame, masks in tracked:
        on_frame(video, frame, masks)
        yield frame, masks
