"""Which frames count in each benchmark, and how its numbers are made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from masklet.evaluation.rules import RULES, scored_frames, seen_by_category, summarise
from masklet.evaluation.scores import ObjectScore, SequenceScore, VosScore
from masklet.evaluation.statistics import decay
from video_trees import NOTHING, palette_set, sa_v_set, square


def score(**videos):
    """A set of videos of objects with J and F in each frame."""
    return VosScore(
        tuple(
            SequenceScore(name, tuple(ObjectScore(o, tuple(range(len(j))), j, f) for o, (j, f) in objects.items()))
            for name, objects in videos.items()
        )
    )


TWO = score(a={1: ((0.6, 0.2), (0.8, 0.4)), 2: ((1.0, 1.0), (1.0, 0.8))}, b={1: ((0.0, 0.2), (0.2, 0.0))})


@pytest.mark.parametrize(
    ("name", "first_object", "later_object"),
    [
        ("plain", (1, 3), (3,)),
        ("davis16", (1, 3), (3,)),
        ("davis17", (1, 3), (3,)),
        ("mose", (1, 3), (3,)),
        ("vost", (1, 3), (3,)),
        ("youtube_vos", (1, 3, 4), (3, 4)),
        ("lvos_v1", (0, 1, 3, 4), (1, 3, 4)),
        ("lvos_v2", (0, 1, 3, 4), (1, 3, 4)),
        ("sa_v", (1, 3), (1, 3)),
    ],
)
def test_frames_that_count(tmp_path, name, first_object, later_object):
    late = square(0, 1, square(30, 2))
    video = palette_set(tmp_path, {"v": [square(0), late, None, late, late]})[0]
    assert scored_frames(video, video.first_frames(), RULES[name]) == {1: first_object, 2: later_object}


def test_no_other_rule_is_known():
    names = ["plain", "davis16", "davis17", "youtube_vos", "mose", "lvos_v1", "lvos_v2", "sa_v", "vost"]
    assert [(name, rule.name) for name, rule in RULES.items()] == [(name, name) for name in names]


def test_objects_with_files_of_their_own_have_frames_of_their_own(tmp_path):
    video = sa_v_set(tmp_path, {"v": {0: [square(0)] * 5, 1: [square(30)] * 4}})[0]
    first = video.first_frames()
    assert scored_frames(video, first, RULES["sa_v"]) == {0: (4, 8, 12), 1: (4, 8)}
    every = replace(RULES["sa_v"], skip_first=False, skip_last=False)
    assert scored_frames(video, first, every) == {0: (0, 4, 8, 12, 16), 1: (0, 4, 8, 12)}


def test_the_void_label_is_no_object(tmp_path):
    video = palette_set(tmp_path, {"v": [square(0, 1, square(30, 255))] * 3})[0]
    assert [*scored_frames(video, video.first_frames(), RULES["vost"])] == [1]
    assert [*scored_frames(video, video.first_frames())] == [1, 255]


def test_what_cannot_be_scored_is_named(tmp_path):
    dataset = palette_set(tmp_path, {"short": [square(0)] * 2, "empty": [NOTHING] * 4})
    empty, short = dataset
    with pytest.raises(ValueError, match=r"no object of short .* rule davis17 \(the first and the last do not\)"):
        scored_frames(short, short.first_frames(), RULES["davis17"])
    assert scored_frames(short, short.first_frames(), RULES["youtube_vos"]) == {1: (1,)}
    with pytest.raises(ValueError, match="empty has no mask of any object"):
        scored_frames(empty, empty.first_frames())


def test_means_over_videos_and_over_objects():
    assert summarise(RULES["plain"], TWO) == pytest.approx({"J&F": 0.4125, "J": 0.4, "F": 0.425})
    means = {"J&F": (1.5 / 3 + 1.6 / 3) / 2, "J": 1.5 / 3, "F": 1.6 / 3}
    for name in ("mose", "lvos_v1", "sa_v"):
        assert summarise(RULES[name], TWO) == pytest.approx(means)


def test_davis_adds_recall_and_decay():
    numbers = summarise(RULES["davis17"], TWO)
    assert [*numbers] == ["J&F", "J", "F", "J recall", "J decay", "F recall", "F decay"]
    assert numbers["J recall"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert numbers["F recall"] == pytest.approx((0.5 + 1 + 0) / 3)
    # Of two frames the first three quarters begin with the first frame, the last one holds the second alone or both.
    assert numbers["J decay"] == pytest.approx(np.mean([decay(v) for v in ((0.6, 0.2), (1.0, 1.0), (0.0, 0.2))]))


def test_seen_and_unseen_categories():
    meta = {"videos": {"a": {"objects": {"1": {"category": "cat"}, "2": {"category": "yak"}}}}}
    meta["videos"]["b"] = {"objects": {"1": {"category": "cat"}}}
    seen = seen_by_category(meta, {"yak"})
    assert seen == {("a", 1): True, ("a", 2): False, ("b", 1): True}
    parts = {"J seen": (0.4 + 0.1) / 2, "F seen": (0.6 + 0.1) / 2, "J unseen": 1.0, "F unseen": 0.9}
    mean = (0.25 + 0.35 + 1.0 + 0.9) / 4
    assert summarise(RULES["youtube_vos"], TWO, seen) == pytest.approx({"G": mean, **parts})
    assert summarise(RULES["lvos_v2"], TWO, seen) == pytest.approx({"J&F": mean, **parts})


def test_categories_that_are_not_known_are_named():
    with pytest.raises(ValueError, match="pass seen="):
        summarise(RULES["youtube_vos"], TWO)
    with pytest.raises(ValueError, match=r"2 scored objects, such as \('a', 2\)"):
        summarise(RULES["youtube_vos"], TWO, {("a", 1): True})
    with pytest.raises(ValueError, match="category that is unseen"):
        summarise(RULES["youtube_vos"], TWO, dict.fromkeys([("a", 1), ("a", 2), ("b", 1)], True))
    with pytest.raises(ValueError, match="category"):
        seen_by_category({"videos": {"a": {"objects": {"1": {}}}}}, ())
    with pytest.raises(ValueError, match="no scored object"):
        summarise(RULES["plain"], VosScore(()))


def test_vost_reports_j_and_its_last_quarter():
    numbers = summarise(RULES["vost"], score(a={1: ((0.0, 0.1, 0.2, 0.3, 0.4, 0.5), (1.0,) * 6)}))
    assert numbers == pytest.approx({"J": 0.25, "J last quarter": 0.45})  # from place 4 of 6
