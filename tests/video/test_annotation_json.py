from __future__ import annotations

import json
import os

import numpy as np
import pytest

from masklet.masks.rle import decode
from masklet.video.annotation_json import CocoRleJsonWriter, SaVJsonWriter

SIZE = (60, 80)


def square(side: int) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[:side, :side] = True
    return mask


def test_coco_file_holds_every_mask(tmp_path):
    path = tmp_path / "masks.json"
    with CocoRleJsonWriter(path, SIZE) as writer:
        writer.add(4, {2: square(9), 1: square(5)})
        writer.add(1, {})
        assert not path.exists()
    content = json.loads(path.read_text())
    assert content["size"] == [60, 80]
    assert [frame["frame"] for frame in content["frames"]] == [1, 4]
    objects = content["frames"][1]["objects"]
    assert list(objects) == ["1", "2"]
    assert content["frames"][0]["objects"] == {}
    np.testing.assert_array_equal(decode(objects["2"]), square(9))


def test_sa_v_file_has_the_published_fields(tmp_path):
    path = tmp_path / "v_auto.json"
    sides = [0, 10, 20, 0, 0, 30]  # on annotated frames: seen from 1 on, gone, back
    video = {"video_id": "sav_000001", "frame_count": 22, "fps": 24.0, "environment": "Indoor", "split": "train"}
    with SaVJsonWriter(path, SIZE, **video) as writer:
        for t in range(22):
            writer.add(t, {5: square(sides[t // 4]), 2: square(50)} if t % 4 == 0 else {9: square(3)})
    content = json.loads(path.read_text())
    masklets = content.pop("masklet")
    assert len(masklets) == 6
    assert {len(frame) for frame in masklets} == {2}
    for k, side in enumerate(sides):
        np.testing.assert_array_equal(decode(masklets[k][1]), square(side))
    assert content == {
        "video_id": "sav_000001",
        "video_duration": pytest.approx(22 / 24),
        "video_frame_count": 22.0,
        "video_height": 60.0,
        "video_width": 80.0,
        "video_resolution": 4800.0,
        "video_environment": "Indoor",
        "video_split": "train",
        "masklet_id": [2, 5],
        "masklet_size_rel": pytest.approx([2500 / 4800, 1400 / 3 / 4800]),
        "masklet_size_abs": pytest.approx([2500, 1400 / 3]),
        "masklet_size_bucket": ["medium", "small"],
        "masklet_visibility_changes": [0, 2],
        "masklet_first_appeared_frame": [0, 1],
        "masklet_frame_count": [6, 6],
        "masklet_edited_frame_count": [0, 0],
        "masklet_type": ["auto", "auto"],
        "masklet_stability_score": [None, None],
        "masklet_num": 2,
    }


def test_stability_is_kept_by_frame_and_masklet(tmp_path):
    with SaVJsonWriter(tmp_path / "a.json", SIZE, video_id="a", frame_count=9) as writer:
        writer.add(0, {2: square(5), 1: square(9)}, stability={1: 0.5, 2: 0.75})
        writer.add(1, {1: square(9)}, stability={1: 0.1})
        writer.add(8, {2: square(5)}, stability={2: 0.25})
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["masklet_stability_score"] == [[0.5, 0.75], [0.0, 0.0], [0.0, 0.25]]


def test_a_video_without_objects(tmp_path):
    with SaVJsonWriter(tmp_path / "a.json", SIZE, video_id="a", frame_count=5):
        pass
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["masklet"] == [[], []]
    assert content["masklet_num"] == 0


@pytest.mark.parametrize("kind", ["coco", "sa_v"])
def test_an_error_leaves_no_file(tmp_path, kind):
    video = {"video_id": "a", "frame_count": 9} if kind == "sa_v" else {}
    writer = (SaVJsonWriter if kind == "sa_v" else CocoRleJsonWriter)(tmp_path / "a.json", SIZE, **video)

    def interrupted() -> None:
        with writer:
            writer.add(0, {1: square(3)})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ValueError, match=r"object 1 on frame 4 has shape \(3, 3\)"), writer:
        writer.add(4, {1: square(3)[:3, :3]})
    assert os.listdir(tmp_path) == []


def test_wrong_settings(tmp_path):
    for wrong in ({"step": 0}, {"fps": 0.0}, {"kind": "both"}):
        with pytest.raises(ValueError, match="Expected step"):
            SaVJsonWriter(tmp_path / "a.json", SIZE, video_id="a", frame_count=9, **wrong)
    with pytest.raises(ValueError, match="Frame 9 lies outside"):
        SaVJsonWriter(tmp_path / "a.json", SIZE, video_id="a", frame_count=9).add(9, {})
