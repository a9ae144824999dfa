from __future__ import annotations

import numpy as np
import pytest

from made_videos import SIZE, assert_same, draw, read_back, video_of, written

IDS = [0, 3, 300]


def test_round_trip_of_the_json(tmp_path):
    drawn = draw(0, IDS)
    losses = written("sa_v", tmp_path / "out", video_of(drawn))
    assert losses.counts == {"step": 4}
    for path in (tmp_path / "out", tmp_path / "out" / "walk_manual.json"):
        (video,) = read_back(path)
        assert_same(video, {t: drawn[t] for t in (0, 4)})
        assert (video.name, video.count) == ("walk", 6)


def test_round_trip_of_the_folders(tmp_path):
    drawn = draw(1, IDS)
    written("sa_v_folders", tmp_path / "out", video_of(drawn, pictures=tmp_path / "pictures"), strict=True)
    (video,) = read_back(tmp_path / "out")
    assert_same(video, drawn)


def test_movies_are_wanted(tmp_path):
    with pytest.raises(ValueError, match=r"sa_v has \.mp4 movies.*sa_v_folders"):
        written("sa_v", tmp_path / "out", video_of(draw(0, IDS), pictures=tmp_path / "pictures"))


def test_an_id_below_zero_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"walk has object -1"):
        written("sa_v_folders", tmp_path / "out", video_of({0: {-1: np.ones(SIZE, bool)}}))
