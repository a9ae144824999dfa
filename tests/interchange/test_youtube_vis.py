from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools import mask as coco

from made_videos import COUNT, SIZE, assert_same, draw, read_back, video_of, written

IDS = [0, 3, 300]


@pytest.mark.parametrize("pictures", [True, False])
def test_round_trip(pictures, tmp_path):
    drawn = [draw(seed, IDS) for seed in range(3)]
    videos = [
        video_of(one, f"v{k}", {3: "cat", 300: f"kind {k}"}, tmp_path / f"p{k}" if pictures else None)
        for k, one in enumerate(drawn)
    ]
    written("youtube_vis", tmp_path / "out", *videos, strict=True)
    back = read_back(tmp_path / "out", None)
    for k, video in enumerate(back):
        assert_same(video, drawn[k])
        assert (video.name, video.count) == (f"v{k}", COUNT)
        assert video.categories == {0: "object", 3: "cat", 300: f"kind {k}"}
        if pictures:
            assert video.frames.image(2).mean() == 40
    assert len(back) == 3


def test_fields_are_those_of_the_data_set(tmp_path):
    drawn = draw(0, IDS)
    written("youtube_vis", tmp_path / "out", video_of(drawn))
    content = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert content["videos"][0].items() >= {"id": 1, "width": SIZE[1], "height": SIZE[0], "length": COUNT}.items()
    for one in content["annotations"]:
        for t, (code, box, area) in enumerate(zip(one["segmentations"], one["bboxes"], one["areas"], strict=True)):
            mask = drawn[t].get(one["object_id"])
            assert (code is None) == (mask is None) == (box is None) == (area is None)
            if mask is not None:
                np.testing.assert_array_equal(coco.decode(code) == 1, mask)
                ys, xs = np.nonzero(mask)
                assert box == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
                assert area == mask.sum()


def test_frames_that_are_not_annotated_are_counted(tmp_path):
    drawn = draw(0, IDS)
    losses = written("youtube_vis", tmp_path / "out", video_of({t: drawn[t] for t in (0, 2)}))
    assert losses.counts == {"not_annotated": COUNT - 2}
