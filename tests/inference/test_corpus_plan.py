from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from masklet.inference.corpus_plan import CorpusShape, Measured, plan

MEASURED = Measured(
    start_seconds=10.0,
    first_seconds=5.0,
    frame_seconds=0.1,
    object_seconds=0.02,
    decode_seconds=0.01,
    mask_bytes=200.0,
    frame_bytes=5000.0,
    objects=10.0,
)
CORPUS = CorpusShape(videos=86_400, seconds=5.0, fps=20.0, days=7.0, kill_hours=0.0, longest=50.0)


def test_by_hand():
    found = plan(MEASURED, CORPUS)
    assert found.frames == 8_640_000
    assert found.video_seconds == pytest.approx(5 + 99 * 0.3)
    assert found.repeated == 0
    assert found.worker_days == pytest.approx(34.7)
    assert found.workers == 5
    assert found.days == pytest.approx(34.7 / 5)
    assert found.tail_hours == pytest.approx((5 + 999 * 0.3) / 3600)
    assert found.videos_a_second == pytest.approx(5 / 34.7)
    assert found.masklet_bytes == 25 * 200
    assert found.result_bytes == 86_400 * 10 * 25 * 200
    assert found.read_bytes == 8_640_000 * 5000
    assert found.requests == 2 * 86_400 + 2 * 87
    assert found.decode_share == pytest.approx(1 / 34.7)
    assert found.decoded_workers == pytest.approx(34.7)


def test_workers_or_days_are_given():
    found = plan(MEASURED, replace(CORPUS, workers=100))
    assert (found.workers, found.days) == (100, pytest.approx(0.347))


def test_objects_of_the_corpus_count():
    found = plan(MEASURED, replace(CORPUS, objects=0.0))
    assert found.video_seconds == pytest.approx(5 + 99 * 0.1)
    assert found.result_bytes == 0


def test_kills_cost_half_a_video_and_a_start():
    """To first order: of an hour, a kill loses half of a video, and the new worker starts."""
    found = plan(MEASURED, replace(CORPUS, kill_hours=1.0))
    assert found.repeated == pytest.approx((34.7 / 2 + 10) / 3600, rel=0.02)
    short = plan(MEASURED, replace(CORPUS, kill_hours=34.7 / 3600, longest=5.0))
    assert short.worker_days == pytest.approx(34.7 * (math.e - 1) * (1 + 10 / 34.7))


def test_a_single_frame():
    found = plan(MEASURED, replace(CORPUS, seconds=0.01, longest=0.01))
    assert (found.frames, found.video_seconds) == (86_400, 5.0)


def test_nothing_to_decode():
    assert plan(replace(MEASURED, decode_seconds=0.0), CORPUS).decoded_workers == math.inf


@pytest.mark.parametrize("changes", [{"videos": 0}, {"fps": -1.0}, {"workers": 0}, {"kill_hours": -1.0}])
def test_corpora_that_make_no_sense(changes: dict[str, Any]):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}.* must be"):
        replace(CORPUS, **changes)


def test_measurements_that_make_no_sense():
    with pytest.raises(ValueError, match="mask_bytes must be a number of at least 0, got nan"):
        replace(MEASURED, mask_bytes=math.nan)


def test_videos_that_are_never_done():
    with pytest.raises(ValueError, match="cut videos into pieces"):
        plan(MEASURED, replace(CORPUS, kill_hours=0.002))
