from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from made_videos import COUNT, SIZE, assert_same, draw, read_back, video_of, written

IDS = [1, 7, 255]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("to", ["davis", "youtube_vos"])
def test_round_trip(to, seed, tmp_path):
    drawn = draw(seed, IDS, overlap=False)
    categories = {1: "cat", 255: 'a "dog"'} if to == "youtube_vos" else {}
    losses = written(to, tmp_path / "out", video_of(drawn, "a/walk", categories, tmp_path / "pictures"), strict=True)
    (video,) = read_back(tmp_path / "out", to)
    assert_same(video, drawn)
    assert not losses.counts
    if to == "youtube_vos":
        assert video.categories == {1: "cat", 7: "object", 255: 'a "dog"'}


def test_two_videos_with_a_list_and_a_palette_for_others(tmp_path):
    drawn = draw(0, IDS, overlap=False)
    videos = [video_of(drawn, name, pictures=tmp_path / name) for name in ("a", "b")]
    written("davis", tmp_path / "out", *videos)
    assert (tmp_path / "out" / "ImageSets" / "2017" / "val.txt").read_text() == "a\nb\n"
    with Image.open(tmp_path / "out" / "Annotations" / "480p" / "b" / "00000.png") as image:
        assert image.mode == "P"
        labels = np.array(image)
    assert set(np.unique(labels)) - {0} == drawn[0].keys()
    assert [video.name for video in read_back(tmp_path / "out")] == ["a", "b"]


def test_the_file_of_youtube_vos_names_frames_in_which_an_object_is_seen(tmp_path):
    drawn = draw(1, IDS, overlap=False)
    written("youtube_vos", tmp_path / "out", video_of(drawn, categories={7: "cat"}))
    things = json.loads((tmp_path / "out" / "train" / "meta.json").read_text())["videos"]["walk"]["objects"]
    assert things["7"] == {"category": "cat", "frames": [f"{t:05d}" for t in range(COUNT) if 7 in drawn[t]]}


def test_overlaps_are_counted_and_the_lower_id_wins(tmp_path):
    whole, part = np.ones(SIZE, bool), np.zeros(SIZE, bool)
    part[:5] = True
    drawn = {0: {1: part, 2: whole}, 1: {1: whole, 2: part}, 2: {2: part}}
    losses = written("davis", tmp_path / "out", video_of(drawn, pictures=tmp_path / "pictures"))
    assert losses.sentences == ["2 frames had overlapping objects; the lower id keeps the pixels that they share"]
    (video,) = read_back(tmp_path / "out")
    assert_same(video, {0: {1: part, 2: ~part}, 1: {1: whole}, 2: {2: part}})


@pytest.mark.parametrize("number", [0, 256])
def test_ids_that_do_not_fit_are_named(number, tmp_path):
    drawn = {0: {number: np.ones(SIZE, bool)}}
    with pytest.raises(ValueError, match=rf"made: walk: Object id {number} does not fit .*--renumber"):
        written("davis", tmp_path / "out", video_of(drawn))


def test_categories_are_counted_as_lost(tmp_path):
    losses = written("davis", tmp_path / "out", video_of(draw(0, IDS, overlap=False), categories={1: "cat"}))
    assert losses.counts == {"category": 1}
