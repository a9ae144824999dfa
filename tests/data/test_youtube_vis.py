from __future__ import annotations

import numpy as np
import pytest
from made_sets import SIZE, mask, put, put_json

from masklet.data.paths import BrokenAnnotations
from masklet.data.youtube_vis import open_youtube_vis
from masklet.masks import rle


def content(**changes):
    video = {"id": 9, "width": SIZE[1], "height": SIZE[0], "file_names": ["a/00000.jpg", "a/00005.jpg"]}
    masks = [rle.encode(mask(4, 1)), None]
    found = {"id": 3, "video_id": 9, "category_id": 1, "iscrowd": 0, "segmentations": masks}
    return {"videos": [video], "annotations": [{**found, **changes}], "categories": [{"id": 1, "name": "cat"}]}


def test_what_is_null_is_not_visible_and_pictures_need_not_be_there(tmp_path):
    (video,) = open_youtube_vis(put_json(tmp_path / "valid.json", content()))
    assert (video.name, video.size, video.frame_count, video.annotated) == ("a", SIZE, 2, (0, 1))
    np.testing.assert_array_equal(video.masks(0)[3], mask(4, 1))
    assert video.masks(1) == {}
    assert video.categories() == {3: "cat"}
    with pytest.raises(FileNotFoundError, match=r"00005\.jpg"):
        video.image(1)


def test_plain_run_lengths_polygons_and_crowds(tmp_path):
    runs = {"size": list(SIZE), "counts": [0, SIZE[0] * SIZE[1]]}
    box = [[0, 0, SIZE[1], 0, SIZE[1], SIZE[0], 0, SIZE[0]]]
    (video,) = open_youtube_vis(put_json(tmp_path / "a.json", content(segmentations=[runs, box])))
    assert video.masks(0)[3].all()
    assert video.masks(1)[3].all()
    (video,) = open_youtube_vis(put_json(tmp_path / "a.json", content(iscrowd=1)))
    assert video.masks(0) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video_id": 8}, "annotations of the video 8, which it lacks"),
        ({"segmentations": [None]}, "object 3 of the video a has 1 masks, its video has 2 frames"),
        ({"id": "x"}, "expected videos, categories and annotations"),
    ],
)
def test_broken_annotations_are_named(tmp_path, changes, message):
    with pytest.raises(BrokenAnnotations, match=rf"a\.json.*{message}"):
        open_youtube_vis(put_json(tmp_path / "a.json", content(**changes)))


def test_cut_run_lengths_name_the_object(tmp_path):
    code = rle.encode(mask(4, 1))
    cut = {**code, "counts": code["counts"][:-2]}
    (video,) = open_youtube_vis(put_json(tmp_path / "a.json", content(segmentations=[cut, None])))
    with pytest.raises(ValueError, match="object 3 of frame 0"):
        video.masks(0)


def test_the_file_is_chosen_by_the_split(tmp_path):
    for name in ("train", "valid"):
        put_json(tmp_path / f"{name}.json", content())
    with pytest.raises(ValueError, match="--split"):
        open_youtube_vis(tmp_path)
    assert open_youtube_vis(tmp_path, "valid").names == ("a",)
    with pytest.raises(FileNotFoundError, match="test"):
        open_youtube_vis(tmp_path, "test")
    with pytest.raises(BrokenAnnotations, match="JSON"):
        open_youtube_vis(put(tmp_path / "b.json", "{"))
