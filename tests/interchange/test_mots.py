from __future__ import annotations

import numpy as np
import pytest

from made_videos import COUNT, SIZE, assert_same, draw, read_back, video_of, written

IDS = [1, 2000, 300]


@pytest.mark.parametrize("pictures", [True, False])
def test_round_trip(pictures, tmp_path):
    drawn = draw(0, sorted(IDS), overlap=False)
    drawn[COUNT - 1][1] = drawn[COUNT - 1].get(1, np.eye(*SIZE, dtype=bool))
    for number, mask in drawn[COUNT - 1].items():
        drawn[COUNT - 1][number] = mask if number == 1 else mask & ~drawn[COUNT - 1][1]
    drawn[COUNT - 1] = {number: mask for number, mask in drawn[COUNT - 1].items() if mask.any()}
    video = video_of(drawn, categories={1: "car", 300: "pedestrian", 2000: "cat"}, pictures=tmp_path / "p")
    losses = written("mots", tmp_path / "out", video if pictures else video_of(drawn, categories=video.categories))
    assert losses.counts == {"class": 1}
    (back,) = read_back(tmp_path / "out")
    assert_same(back, drawn)
    assert back.categories == {1: "car", 300: "pedestrian", 2000: "3"}


def test_a_line_is_frame_id_class_height_width_counts(tmp_path):
    losses = written("mots", tmp_path / "out", video_of({2: {5: np.ones(SIZE, bool)}}))
    (line,) = (tmp_path / "out" / "instances_txt" / "walk.txt").read_text().splitlines()
    assert line.startswith("2 5 3 21 34 ")
    assert losses.counts == {"not_annotated": COUNT - 1, "class": 1, "tail": COUNT - 3}


def test_overlaps_are_settled(tmp_path):
    whole = np.ones(SIZE, bool)
    losses = written("mots", tmp_path / "out", video_of({t: {1: whole, 2: whole} for t in range(COUNT)}))
    assert losses.counts["overlap"] == COUNT
    assert read_back(tmp_path / "out")[0].masks[0].keys() == {1}
