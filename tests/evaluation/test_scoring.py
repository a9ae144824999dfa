"""Masks that come frame by frame against the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from masklet.evaluation.metrics import boundary_f
from masklet.evaluation.rules import RULES
from masklet.evaluation.scores import Click
from masklet.evaluation.scoring import score_frames
from video_trees import NOTHING, palette_set, sa_v_set, square


def at(x):
    return square(x) > 0


NONE = NOTHING > 0


def test_scores_worked_out_by_hand(tmp_path):
    video = palette_set(tmp_path, {"v": [square(0), square(5), None, square(20), square(40)]})[0]
    click = Click(0, 4.0, 14.0, 1)
    score = score_frames(video, ((t, {1: at(0)}) for t in range(5)), clicks={1: (click,)})
    (one,) = score.objects
    assert (score.name, one.object_id, one.frames, one.clicks) == ("v", 1, (1, 3), (click,))
    assert one.j_frames == pytest.approx((50 / 150, 0))
    assert one.f_frames == pytest.approx((boundary_f(at(0), at(5)), 0))


def test_an_object_left_out_is_empty_and_strangers_do_not_count(tmp_path):
    video = palette_set(tmp_path, {"v": [square(0), square(0), NOTHING, square(0), square(0)]})[0]
    score = score_frames(video, [(0, {}), (1, {}), (2, {}), (3, {1: at(0), 9: at(30)}), (4, {})])
    assert [(o.object_id, o.j_frames, o.f_frames) for o in score.objects] == [(1, (0, 1, 1), (0, 1, 1))]


def test_only_frames_that_count_must_be_there(tmp_path):
    late = square(0, 1, square(30, 2))
    video = palette_set(tmp_path, {"v": [square(0), late, late, late, late]})[0]
    assert [o.frames for o in score_frames(video, [(t, {}) for t in (1, 2, 3)]).objects] == [(1, 2, 3), (2, 3)]
    with pytest.raises(ValueError, match=r"frame 1 of v \(2 are missing: 1, 3\)"):
        score_frames(video, [(0, {}), (2, {}), (4, {})])
    with pytest.raises(ValueError, match=r"frame 1 of v \(3 are missing"):
        score_frames(video, [])


def test_frames_come_in_order_and_at_the_size_of_the_video(tmp_path):
    video = palette_set(tmp_path, {"v": [square(0)] * 4})[0]
    with pytest.raises(ValueError, match="frame 1 of v after frame 2"):
        score_frames(video, [(0, {}), (2, {}), (1, {})])
    with pytest.raises(
        ValueError, match=r"object 1 in frame 1 of v has the shape \(20, 30\), the video has \(40, 60\)"
    ):
        score_frames(video, [(1, {1: np.ones((20, 30), bool)})])


def test_a_video_without_anything_to_score_is_named(tmp_path):
    empty, none, short = palette_set(
        tmp_path, {"empty": [NOTHING] * 4, "none": [None] * 4, "short": [square(0), NOTHING]}
    )
    for video, match in ((empty, "empty has no mask"), (none, "none has no mask"), (short, "no object of short")):
        with pytest.raises(ValueError, match=match):
            score_frames(video, [(t, {}) for t in range(4)])


def test_one_frame_is_held_at_a_time(tmp_path):
    video = palette_set(tmp_path, {"v": [square(0)] * 30})[0]
    alive = []

    class Mask(np.ndarray):
        def __del__(self):
            alive.remove(1)

    def frames():
        for t in range(30):
            alive.append(1)
            yield t, {1: at(0).view(Mask)}
            assert len(alive) <= 2

    assert score_frames(video, frames()).j == 1


def test_sa_v_scores_an_object_once_it_was_seen(tmp_path):
    here, gone = square(20), NOTHING
    truth = {
        0: [here, gone, gone, gone, gone, here, here],
        1: [here, gone, gone, gone, gone, gone, here],
        2: [here, here, gone, here, here, here, here],
    }
    video = sa_v_set(tmp_path, {"v": truth})[0]
    answers = {
        0: [at(20), NONE, NONE, at(20), NONE, at(20), NONE],  # a false alarm in the fourth mask, where scoring starts
        1: [at(20), NONE, at(20), NONE, NONE, NONE, at(20)],  # the truth shows it in the first and the last mask alone
        2: [NONE, NONE, NONE, at(25), at(20), at(40), at(20)],
    }
    frames = [(4 * place, {o: masks[place] for o, masks in answers.items()}) for place in range(7)]
    score = score_frames(video, frames, RULES["sa_v"])
    assert [(o.object_id, o.frames) for o in score.objects] == [(0, (12, 16, 20)), (2, (4, 8, 12, 16, 20))]
    assert score.objects[0].j_frames == (0, 1, 1)
    assert score.objects[0].f_frames == (0, 1, 1)
    assert score.objects[1].j_frames == pytest.approx((0, 1, 50 / 150, 1, 0))

    every = score_frames(video, frames, replace(RULES["sa_v"], skip_first=False, skip_last=False))
    assert [o.object_id for o in every.objects] == [0, 1, 2]
    assert every.objects[0].j_frames == (1, 1, 1, 0, 1, 1, 0)
    assert every.objects[1].frames == (0, 4, 8, 12, 16, 20, 24)


def test_sa_v_wants_every_listed_frame(tmp_path):
    video = sa_v_set(tmp_path, {"v": {0: [square(20)] * 5}})[0]
    every = [(t, {0: at(20)}) for t in range(17)]
    assert score_frames(video, every, RULES["sa_v"]).objects[0].frames == (4, 8, 12)
    with pytest.raises(ValueError, match="frame 8 of v"):
        score_frames(video, every[:8] + every[9:], RULES["sa_v"])


def test_sa_v_reports_nothing_that_the_truth_never_shows(tmp_path):
    video = sa_v_set(tmp_path, {"v": {0: [square(20), NOTHING, NOTHING, square(20)]}})[0]
    with pytest.raises(ValueError, match="no object of v can be scored"):
        score_frames(video, [(t, {0: at(20)}) for t in range(13)], RULES["sa_v"])
