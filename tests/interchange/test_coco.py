from __future__ import annotations

import numpy as np
import pytest
from pycocotools.coco import COCO

from made_videos import COUNT, assert_same, draw, read_back, video_of, written

IDS = [0, 3, 300]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("polygons", [False, True])
def test_round_trip_and_pycocotools(polygons, seed, tmp_path, capsys):
    drawn = draw(seed, IDS)
    video = video_of(drawn, categories={3: "cat"}, pictures=tmp_path / "pictures")
    losses = written("coco", tmp_path / "out", video, polygons=polygons)
    assert losses.counts["apart"] == 1
    images = read_back(tmp_path / "out")
    assert [one.name for one in images] == [f"walk/{t:05d}.png" for t in range(COUNT)]
    for t, one in enumerate(images):
        assert_same(one, {0: drawn[t]})
        assert one.categories.get(3, "cat") == "cat"
        assert one.frames.image(0).mean() == 20 * t

    other = COCO(str(tmp_path / "out" / "annotations" / "instances.json"))
    capsys.readouterr()
    for t, image in enumerate(other.loadImgs(other.getImgIds())):
        found = other.loadAnns(other.getAnnIds(image["id"]))
        assert [one["track_id"] for one in found] == sorted(drawn[t])
        for one in found:
            np.testing.assert_array_equal(other.annToMask(one) == 1, drawn[t][one["track_id"]])


def test_holes_are_counted_pieces_are_not(tmp_path):
    mask = np.ones((21, 34), bool)
    mask[:, 10] = False
    losses = written("coco", tmp_path / "a", video_of({0: {1: mask}}), polygons=True)
    assert losses.counts == {"apart": 1}
    mask[5, 5] = False
    losses = written("coco", tmp_path / "b", video_of({0: {1: mask}}), polygons=True)
    assert losses.counts == {"apart": 1, "bridge": 1}
