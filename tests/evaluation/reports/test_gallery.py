"""Which frames are shown, and what is drawn on them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from made_runs import made_run, scored
from masklet.evaluation.reports.gallery import Shot, clicked_frames, draw_shot, worst_frames
from masklet.evaluation.scores import Click, SequenceScore, VosScore


def test_worst_first_and_not_all_of_one_object():
    bad = scored(1, *[0.9, 0.1, 0.12, 0.5, 0.5, 0.5, 0.5, 0.2, 0.5, 0.5])
    good = scored(2, 0.8, 0.7)
    record = made_run(vos={"mask": VosScore((SequenceScore("a", (bad, good)),))})
    assert [(s.object_id, s.frame, s.j) for s in worst_frames(record, 10)] == [
        (1, 2, 0.1),
        (1, 8, 0.2),
        (2, 2, 0.7),
        (2, 1, 0.8),
    ]
    assert len(worst_frames(record, 2)) == 2
    assert worst_frames(record, 1)[0].f == pytest.approx(0.2)


def test_an_interactive_run_shows_its_last_round():
    (first, *_) = worst_frames(made_run(vos={}), 5)
    assert (first.protocol, first.video, first.frame, first.prompted) == ("offline", "a", 1, 2)
    assert first.j == pytest.approx(0.3)
    assert worst_frames(made_run(vos={}, interactive={}), 5) == []


def test_clicks_of_prompts_and_of_rounds():
    shots = clicked_frames(made_run(), 10)
    assert [(s.protocol, s.video, s.frame, s.prompted, len(s.clicks)) for s in shots] == [
        ("3 clicks", "a", 0, 0, 2),
        ("offline", "a", 0, 1, 2),
        ("offline", "a", 2, 2, 1),
    ]
    assert (shots[0].j, shots[2].j) == (None, pytest.approx(0.5))  # frame 0 is prompted and not scored
    assert len(clicked_frames(made_run(), 2)) == 2
    assert clicked_frames(made_run(vos={}, interactive={}), 5) == []


SHOT = Shot("mask", "a", 1, 3, clicks=(Click(3, 200.0, 100.0, 1), Click(3, 700.0, 100.0, 0)))


def pixels(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB).astype(int)


def near(pixel, color):
    return np.abs(pixel - np.array(color)).max() < 60


def test_prediction_is_filled_truth_outlined_clicks_dotted():
    image = np.full((400, 960, 3), 200, np.uint8)
    prediction, truth = np.zeros((400, 960), bool), np.zeros((400, 960), bool)
    prediction[200:360, 40:400] = True
    truth[200:360, 500:900] = True
    drawn = pixels(draw_shot(SHOT, image, prediction, truth))
    assert drawn.shape == (200, 480, 3)
    assert near(drawn[140, 110], (0.45 * 200 + 0.55 * 30, 0.45 * 200 + 0.55 * 120, 0.45 * 200 + 0.55 * 255))
    assert near(drawn[140, 350], (200, 200, 200))  # inside of the truth
    assert not near(drawn[100, 350], (200, 200, 200))  # its upper edge
    assert near(drawn[50, 100], (40, 180, 70))
    assert near(drawn[50, 350], (225, 40, 40))
    assert (image == 200).all()


def test_masks_may_be_unknown_and_small_images_keep_their_size():
    image = np.full((40, 60, 3), 90, np.uint8)
    assert pixels(draw_shot(Shot("mask", "a", 1, 3), image, None, None)).shape == (40, 60, 3)


def test_a_mask_of_another_size_is_named(as_user):
    with pytest.raises(ValueError, match=r"a, frame 3: mask of \(4, 4\), image of \(40, 60\)"):
        draw_shot(SHOT, np.zeros((40, 60, 3), np.uint8), np.zeros((4, 4), bool), None)
