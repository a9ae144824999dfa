from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from made_videos import COUNT, SIZE, assert_same, draw, read_back, video_of, written


def all_seen(seed, ids):
    """Masks of which every frame has one, as CVAT says nothing of frames without."""
    drawn = draw(seed, ids)
    drawn[3] = {ids[0]: np.ones(SIZE, bool)}
    return {t: found or {ids[0]: np.ones(SIZE, bool)} for t, found in drawn.items()}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("polygons", "ids"), [(False, [1, 3, 300]), (True, [0, 3, 300])])
def test_round_trip(polygons, ids, seed, tmp_path):
    drawn = all_seen(seed, ids)
    categories = {3: 'a "cat" & <dog>'}
    for name, pictures in (("with", tmp_path / "p"), ("without", None)):
        video = video_of(drawn, categories=categories, pictures=pictures)
        losses = written("cvat", tmp_path / name, video, polygons=polygons)
        assert losses.counts.keys() <= {"bridge"}
        (back,) = read_back(tmp_path / name)
        assert_same(back, drawn)
        assert (back.name, back.count) == ("walk", COUNT)
        assert back.categories[3] == 'a "cat" & <dog>'
        assert not any(back.unknown.values())


def test_several_videos_are_several_tasks(tmp_path):
    drawn = all_seen(0, [1, 2])
    written("cvat", tmp_path / "out", video_of(drawn, "a"), video_of(drawn, "b"))
    back = read_back(tmp_path / "out")
    assert [one.name for one in back] == ["a", "b"]
    assert_same(back[1], drawn)


def test_a_mask_is_a_track_of_its_own_as_cvat_takes_it(tmp_path):
    """CVAT takes the first mask of a track and ends it at the frame after."""
    drawn = all_seen(0, [1, 2])
    written("cvat", tmp_path / "out", video_of(drawn))
    tracks = ElementTree.parse(tmp_path / "out" / "walk" / "annotations.xml").findall("track")
    assert len(tracks) == sum(map(len, drawn.values()))
    assert len({track.get("id") for track in tracks}) == len(tracks)
    for track in tracks:
        assert [shape.get("outside") for shape in track] in (["0", "1"], ["0"])
        left, top, width, height = (int(track[0].get(key)) for key in ("left", "top", "width", "height"))
        assert sum(map(int, track[0].get("rle").split(","))) == width * height
        assert left + width <= SIZE[1]
        assert top + height <= SIZE[0]


def test_frames_without_masks_are_counted(tmp_path):
    losses = written("cvat", tmp_path / "out", video_of(draw(0, [1, 2])))
    assert losses.counts["no_objects"] >= 1


def test_id_zero_is_no_group(tmp_path):
    with pytest.raises(ValueError, match=r"walk has object 0 in frame 0.*--renumber"):
        written("cvat", tmp_path / "out", video_of({0: {0: np.ones(SIZE, bool)}}))


def test_frames_that_are_not_annotated_are_counted(tmp_path):
    whole = np.ones(SIZE, bool)
    video = video_of({0: {1: whole}, 4: {1: whole}})
    assert written("cvat", tmp_path / "masks", video).counts == {"not_annotated": 4}
    assert written("cvat", tmp_path / "polygons", video, polygons=True).counts == {"interpolated": 4}
    assert_same(read_back(tmp_path / "polygons")[0], {0: {1: whole}, 4: {1: whole}})
