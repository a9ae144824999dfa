from __future__ import annotations

import numpy as np
import pytest

from made_videos import COUNT, assert_same, draw, read_back, video_of, written

IDS = [0, 3, 300]


@pytest.mark.parametrize("seed", range(3))
def test_round_trip_by_the_place_of_a_line(seed, tmp_path):
    drawn = draw(seed, IDS)
    video = video_of(drawn, categories={0: "cat", 3: "a: dog", 300: "cat"}, pictures=tmp_path / "p")
    losses = written("yolo_seg", tmp_path / "out", video)
    assert losses.counts["number"] == len(video.objects)
    images = read_back(tmp_path / "out")
    assert [one.name for one in images] == [f"walk_{t:05d}" for t in range(COUNT)]
    for t, one in enumerate(images):
        assert_same(one, {0: {place: drawn[t][n] for place, n in enumerate(sorted(drawn[t]), start=1)}})
        assert [one.categories[place] for place in one.masks[0]] == [video.categories[n] for n in sorted(drawn[t])]


def test_pieces_and_holes_are_counted(tmp_path):
    mask = np.ones((21, 34), bool)
    mask[:, 10] = False
    losses = written("yolo_seg", tmp_path / "out", video_of({0: {1: mask}}))
    assert losses.counts["bridge"] == 1
    assert "1 mask with holes or several pieces" in " ".join(losses.sentences)
