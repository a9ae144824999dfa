from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from made_videos import COUNT, SIZE, assert_same, draw, read_back, video_of, written

IDS = [0, 3, 300]


@pytest.mark.parametrize("pictures", [True, False])
def test_round_trip(pictures, tmp_path):
    drawn = draw(0, IDS)
    video = video_of(drawn, categories={3: "cat"}, pictures=tmp_path / "p")
    seen = {t: found for t, found in drawn.items() if found or pictures}
    losses = written("label_studio", tmp_path / "out", video if pictures else video_of(seen))
    assert losses.counts == {"apart": 1}
    images = read_back(tmp_path / "out")
    for one, (t, found) in zip(images, seen.items(), strict=True):
        assert_same(one, {0: found})
        assert one.name == f"images/walk/{t:05d}.png"
        if pictures:
            assert one.frames.image(0).mean() == 20 * t
            assert one.categories == {number: "cat" if number == 3 else "object" for number in found}


def test_tasks_are_as_label_studio_takes_them(tmp_path):
    drawn = draw(0, IDS)
    written("label_studio", tmp_path / "out", video_of(drawn, categories={3: 'a "cat"'}))
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert [task["data"]["frame"] for task in tasks] == list(range(COUNT))
    for region in tasks[0]["annotations"][0]["result"]:
        assert region["type"] == "brushlabels"
        assert (region["original_height"], region["original_width"]) == SIZE
        assert region["value"]["format"] == "rle"
    labels = {one.get("value") for one in ElementTree.parse(tmp_path / "out" / "config.xml").iter("Label")}
    assert labels == {'a "cat"', "object"}
