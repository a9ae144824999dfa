"""Rules of benchmarks: which frames of an object count, and which means are reported.

Where a benchmark's evaluator is public its rule is followed; what is not public is said at the rule. Values are shares
of 1, not percent. None of these benchmarks leaves pixels out: a void label is background in the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.records import AnnotatedVideo
from ..data.truths import LabelMaps
from .scores import ObjectScore, VosScore
from .statistics import decay, recall

Seen = Mapping[tuple[str, int], bool]
"""Whether the category of an object occurs in the training set, by video and object id."""
Headline = Callable[[VosScore, Seen | None], dict[str, float]]


@dataclass(frozen=True)
class Rule:
    """How a benchmark scores.

    Attributes:
        name: What it is called.
        headline: Makes the reported numbers of the scores of all videos.
        skip_first: The frame of an object's prompt does not count; with ``until_seen``, its first listed frame.
        skip_last: The last annotated frame does not count; with ``until_seen``, the object's last listed frame.
        until_seen: An object counts from the first counting frame that shows it in the truth or in the prediction, not
            from its prompt, and only if the truth ever shows it in a counting frame (SA-V).
        void: Label of the truth that is no object.
        one_object: All labels of a predicted map are the one object of the video (DAVIS 2016, where it may be 255).
    """

    name: str
    headline: Headline
    skip_first: bool = True
    skip_last: bool = True
    until_seen: bool = False
    void: int | None = None
    one_object: bool = False

    def frames(self, video: AnnotatedVideo, object_id: int, first: int) -> tuple[int, ...]:
        """Annotated frames in which an object may count; none of which its annotation says nothing.

        Args:
            video: The video.
            object_id: The object.
            first: Frame of its prompt, the first that shows it.
        """
        known = [t for t in video.annotated if object_id not in video.truth.unknown(t)]
        if not self.until_seen:
            last = video.annotated[-1]
            begins = [t for t in known if t > first or (t == first and not self.skip_first)]
            return tuple(t for t in begins if t < last or not self.skip_last)
        if not isinstance(video.truth, LabelMaps):  # objects with files of their own may have files in some frames only
            known = [t for t in known if object_id in video.truth.objects(t)]
        return tuple(known[self.skip_first : len(known) - self.skip_last])


def scored_frames(
    video: AnnotatedVideo, first: Mapping[int, int], rule: Rule | None = None
) -> dict[int, tuple[int, ...]]:
    """Frames in which each object may count; an object that has no such frame is left out.

    Args:
        video: The video.
        first: Frame of each object's prompt, as ``video.first_frames()`` gives it.
        rule: The benchmark; ``plain`` by default.

    Raises:
        ValueError: No object is left.
    """
    rule = rule or RULES["plain"]
    objects = {o: start for o, start in first.items() if o != rule.void}
    if not objects:
        raise ValueError(f"{video.name} has no mask of any object in {video.truth.where}: leave it out")
    frames = {o: rule.frames(video, o, start) for o, start in objects.items()}
    if not any(frames.values()):
        raise ValueError(nothing_to_score(video, rule))
    return {o: each for o, each in frames.items() if each}


def nothing_to_score(video: AnnotatedVideo, rule: Rule) -> str:
    """What is said of a video without a frame that counts."""
    ends = [end for end, skipped in (("first", rule.skip_first), ("last", rule.skip_last)) if skipped]
    which = f" (the {' and the '.join(ends)} do not)" if ends else ""
    return (
        f"no object of {video.name} can be scored: none has an annotated frame that counts by the rule "
        f"{rule.name}{which}, and {len(video.annotated)} are annotated in {video.truth.where}; leave the video out"
    )


def summarise(rule: Rule, score: VosScore, seen: Seen | None = None) -> dict[str, float]:
    """The numbers that a benchmark reports, shares of 1.

    Args:
        rule: The benchmark.
        score: Scores of all its videos by this rule.
        seen: For YouTube-VOS and LVOS v2: which objects are of categories of the training set.

    Raises:
        ValueError: There is no object, or ``seen`` is needed and missing or incomplete.
    """
    if not any(s.objects for s in score.sequences):
        raise ValueError("there is no scored object to report on: score at least one video")
    return rule.headline(score, seen)


def seen_by_category(meta: Mapping[str, Any], unseen: Collection[str]) -> dict[tuple[str, int], bool]:
    """Which objects are of seen categories, by the ``meta.json`` of YouTube-VOS.

    Args:
        meta: The parsed file, with a ``category`` for every object.
        unseen: Names of the unseen categories: those of the set that no training video has. LVOS v2 lists unseen
            videos instead, from which the mapping is made directly.

    Raises:
        ValueError: An object has no category.
    """
    try:
        return {
            (str(name), int(label)): thing["category"] not in unseen
            for name, video in meta["videos"].items()
            for label, thing in video["objects"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"expected videos > (id) > objects > (number) > category, got {error!r}") from error


def _objects(score: VosScore) -> list[ObjectScore]:
    return [o for s in score.sequences for o in s.objects]


def _over_sequences(score: VosScore, seen: Seen | None = None) -> dict[str, float]:
    return {"J&F": (score.j + score.f) / 2, "J": score.j, "F": score.f}


def _over_objects(score: VosScore, seen: Seen | None = None) -> dict[str, float]:
    j, f = score.object_j, score.object_f
    return {"J&F": (j + f) / 2, "J": j, "F": f}


def _davis(score: VosScore, seen: Seen | None = None) -> dict[str, float]:
    numbers = _over_objects(score)
    for name, values in (("J", lambda o: o.j_frames), ("F", lambda o: o.f_frames)):
        for measure in (recall, decay):
            each = [measure(values(o)) for o in _objects(score)]
            numbers[f"{name} {measure.__name__}"] = float(np.mean(each))
    return numbers


def _by_category(score: VosScore, seen: Seen | None) -> dict[str, float]:
    """J and F of objects of seen and of unseen categories, each a mean over objects."""
    if seen is None:
        raise ValueError("this benchmark reports seen and unseen categories apart: pass seen=")
    objects = {(s.name, o.object_id): o for s in score.sequences for o in s.objects}
    missing = [key for key in objects if key not in seen]
    if missing:
        raise ValueError(f"seen says nothing of {len(missing)} scored objects, such as {missing[0]}: complete it")
    numbers = {}
    for name, wanted in (("seen", True), ("unseen", False)):
        group = [o for key, o in objects.items() if seen[key] == wanted]
        if not group:
            raise ValueError(f"no scored object is of a category that is {name}: score the whole set, or use plain")
        numbers[f"J {name}"] = float(np.mean([o.j for o in group]))
        numbers[f"F {name}"] = float(np.mean([o.f for o in group]))
    return numbers


def _youtube_vos(score: VosScore, seen: Seen | None = None) -> dict[str, float]:
    numbers = _by_category(score, seen)
    return {"G": float(np.mean([*numbers.values()])), **numbers}


def _lvos_v2(score: VosScore, seen: Seen | None = None) -> dict[str, float]:
    numbers = _by_category(score, seen)
    return {"J&F": float(np.mean([*numbers.values()])), **numbers}


def _vost(score: VosScore, seen: Seen | None = None) -> dict[str, float]:
    tails = [np.mean(o.j_frames[math.floor(0.75 * len(o.j_frames)) :]) for o in _objects(score)]
    return {"J": score.object_j, "J last quarter": float(np.mean(tails))}


RULES = {
    rule.name: rule
    for rule in (
        Rule("plain", _over_sequences),
        Rule("davis16", _davis, one_object=True),
        Rule("davis17", _davis, void=255),
        Rule("youtube_vos", _youtube_vos, skip_last=False),
        Rule("mose", _over_objects),
        Rule("lvos_v1", _over_objects, skip_first=False, skip_last=False, void=255),
        Rule("lvos_v2", _lvos_v2, skip_first=False, skip_last=False, void=255),
        Rule("sa_v", _over_objects, until_seen=True),
        Rule("vost", _vost, void=255),
    )
}
"""The known rules by name.

- ``plain``: any data set; annotated frames between an object's prompt and the last annotated one; means over videos.
- ``davis16``, ``davis17``: the same frames (davis2017-evaluation, semi-supervised); means over objects, with recall
  and decay. For 2016 open the split ``2016/val``, which takes all objects as one.
- ``youtube_vos``: the server is not public. Taken to be every annotated frame after an object's first; the last counts.
- ``mose``: the server is not public. Taken to be as DAVIS 2017, to which it refers.
- ``lvos_v1``, ``lvos_v2``: lvos-evaluation, every listed frame from an object's first one on, that one included. It
  takes the range from a ``meta.json`` and leaves its end out; whether that is an annotated frame is not known, here the
  last counts. For v2 it adds the four means up and halves the sum; here their mean is given, as in published tables.
- ``sa_v``: sav_benchmark.py of facebookresearch/sam2. For ``--do_not_skip_first_and_last_frame`` replace ``skip_first``
  and ``skip_last``.
- ``vost``: the evaluator of TRI-ML/VOST: the frames of DAVIS, J only, and J of the last quarter of them.
"""
