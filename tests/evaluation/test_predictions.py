"""Predictions on disk score as the masks they hold, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from masklet.evaluation.prediction_folders import BadPredictions, PredictionWriter
from masklet.evaluation.predictions import score_predicted, score_predictions
from masklet.evaluation.rules import RULES
from masklet.evaluation.scoring import score_frames
from video_trees import NOTHING, palette_set, put, put_grey, put_labels, put_objects, sa_v_set, square

TRUTH = [square(3 * t, 1, square(30, 2) if 1 <= t != 3 else None) for t in range(6)]
ANSWERS = [square(3 * t + 2, 1, square(33, 2)) for t in range(6)]


def save(folder, maps):
    for frame, labels in enumerate(maps):
        put_labels(folder / f"{frame:05d}.png", labels)


@pytest.fixture
def dataset(tmp_path):
    return palette_set(tmp_path / "set", {"a": TRUTH, "b": TRUTH})


def live(video, maps, rule):
    frames = ((t, {o: labels == o for o in (1, 2)}) for t, labels in enumerate(maps))
    return score_frames(video, frames, rule)


@pytest.mark.parametrize("name", RULES)
def test_files_score_as_the_masks_they_hold(dataset, tmp_path, name):
    rule = RULES[name]
    save(tmp_path / "out/a", ANSWERS)
    save(tmp_path / "out/b", TRUTH)
    scores = [*score_predictions(dataset, tmp_path / "out", rule)]
    if name != "davis16":  # which takes all labels as one
        assert scores == [live(dataset[0], ANSWERS, rule), live(dataset[1], TRUTH, rule)]
        assert scores[1].j == scores[1].f == 1


@pytest.mark.parametrize("layout", ["merged", "objects"])
def test_what_a_tracker_gave_scores_the_same_once_written(dataset, tmp_path, layout):
    video = dataset[0]
    writer = PredictionWriter(tmp_path / "out", layout)
    for frame in range(1, 6):  # the first frame is left to finish()
        writer.add(video, frame, {o: ANSWERS[frame] == o for o in (1, 2)})
    writer.finish(video)
    assert score_predicted(video, tmp_path / "out", layout=layout) == live(video, ANSWERS, RULES["plain"])


def test_sa_v_on_disk(tmp_path):
    truth = {0: [square(0), NOTHING, NOTHING, square(0), square(0)], 3: [square(30)] * 5}
    dataset = sa_v_set(tmp_path / "set", {"a": truth})
    put_objects(tmp_path / "out/a", {0: [NOTHING] * 3 + [square(0)] * 2, 3: [square(35)] * 5})
    (score,) = score_predictions(dataset, tmp_path / "out", RULES["sa_v"], "objects")
    assert [(o.object_id, o.frames) for o in score.objects] == [(0, (12,)), (3, (4, 8, 12))]
    assert score.objects[0].j_frames == (1,)
    assert score.objects[1].j_frames == pytest.approx((1 / 3,) * 3)


def test_davis_2016_predictions_may_be_black_and_white(tmp_path):
    dataset = palette_set(tmp_path / "set", {"a": [square(0)] * 4})
    for frame in range(4):
        put_grey(tmp_path / "out/a" / f"{frame:05d}.png", square(5) * 255)
    (score,) = score_predictions(dataset, tmp_path / "out", RULES["davis16"])
    assert score.objects[0].j_frames == pytest.approx((1 / 3, 1 / 3))


def test_an_object_that_is_never_predicted_counts_as_empty_and_is_logged(dataset, tmp_path, caplog):
    save(tmp_path / "out/a", [np.where(labels == 1, 1, 0).astype(np.uint8) for labels in TRUTH])
    score = score_predicted(dataset[0], tmp_path / "out")
    assert score.objects[1].j_frames == (0, 1, 0)
    assert "no map shows object 2, which counts as empty" in caplog.text


def test_nothing_is_scored_where_a_look_shows_faults(dataset, tmp_path):
    save(tmp_path / "out/a", ANSWERS)
    with pytest.raises(BadPredictions, match=r"(?s)1 fault:.*out/b: the video is missing"):
        next(score_predictions(dataset, tmp_path / "out"))
    with pytest.raises(BadPredictions, match="the video is missing"):
        score_predicted(dataset[1], tmp_path / "out")


def test_faults_that_only_decoding_shows_do_not_hide_each_other(tmp_path):
    dataset = palette_set(tmp_path / "set", dict.fromkeys("abcd", TRUTH))
    out = tmp_path / "out"
    for name in "abcd":
        save(out / name, ANSWERS)
    broken = bytearray((out / "a/00003.png").read_bytes())
    broken[-20] ^= 255
    put(out / "a/00003.png", bytes(broken))
    put(out / "a/00004.png", bytes(broken))
    put_labels(out / "c/00003.png", square(0, 9))
    put(tmp_path / "set/Annotations/d/00003.png", b"no picture")
    scores = score_predictions(dataset, out)
    assert next(scores).name == "b"
    with pytest.raises(BadPredictions) as caught:
        next(scores)
    got = [(one.record, one.file.removeprefix(str(out))) for one in caught.value.faults]
    assert got == [("a", "/a/00003.png"), ("a", "/a/00004.png"), ("c", "/c"), ("d", "/d")]
    assert "ids 9, the truth has 1, 2" in str(caught.value)
    assert "no PNG file" in str(caught.value)
