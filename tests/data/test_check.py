from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_sets import FRAMES, labels, mask, put, put_binary, put_json, put_labels, put_movie, put_picture, sa_v_json

from masklet.data.check import Fault, check_dataset
from masklet.data.open import open_dataset
from masklet.data.records import VideoDataset


@pytest.fixture
def root(tmp_path):
    """Two videos without a fault."""
    for name in ("a", "b"):
        for index in range(FRAMES):
            put_picture(tmp_path / name / "frames" / f"{index}.jpg", index=index)
            put_labels(tmp_path / name / "masks" / f"{index}.png", labels(index))
    return tmp_path


def faults(path, **options) -> list[tuple[str, str]]:
    """Name of the file and fault of each fault found."""
    return [(one.file.rsplit("/", 1)[-1], one.fault) for one in check_dataset(open_dataset(path), **options)]


def test_nothing_is_wrong(root):
    assert faults(root) == []


def test_short_videos(root):
    assert faults(root, clip_frames=FRAMES) == []
    assert faults(root, clip_frames=10) == [("frames", "it has 9 frames, a clip has 10")] * 2


def test_sizes_that_differ(root):
    put_labels(root / "a" / "masks" / "4.png", np.zeros((8, 8), np.uint8) + 1)
    put_labels(root / "a" / "masks" / "5.png", np.ascontiguousarray(labels(5)[:16]))
    put_picture(root / "b" / "frames" / "3.jpg", np.zeros((8, 8, 3), np.uint8))
    (first, what), (second, _), (third, other) = faults(root)
    assert (first, second, third) == ("4.png", "5.png", "3.jpg")
    assert "mask of object 1 in frame 4 has 8x8 pixels, the frames have 48x32" in what
    assert "8x8 pixels, the first frame has 48x32" in other


def test_it_goes_on_after_each_fault(root):
    put(root / "a" / "frames" / "2.jpg", b"\xff\xd8\xff no picture")
    put(root / "a" / "masks" / "1.png", b"no png")
    put(root / "a" / "masks" / "3.png", cv2.imencode(".png", labels(3).astype(np.uint16) * 200)[1].tobytes())
    for path in (root / "b" / "masks").iterdir():
        path.unlink()
    found = faults(root)
    assert [file for file, _ in found] == ["2.jpg", "1.png", "3.png", "masks"]
    assert "cannot be decoded as an image" in found[0][1]
    assert "is no PNG file" in found[1][1]
    assert "object ids up to 400, expected at most 255" in found[2][1]
    assert "there are no masks" in found[3][1]


def test_a_first_frame_that_cannot_be_read_is_one_fault(root):
    put(root / "a" / "frames" / "0.jpg", b"")
    ((file, fault),) = [one for one in faults(root) if one[0] == "0.jpg"]
    assert (file, "is empty (0 bytes)" in fault) == ("0.jpg", True)


def test_masks_without_a_frame(root):
    put_labels(root / "a" / "masks" / "90.png", labels(0))
    (root / "b" / "frames").rename(root / "b" / "pictures")
    ((file, fault),) = faults(root)
    assert file == "masks"
    assert "such as 90.png" in fault


def test_empty_masks(root, tmp_path_factory):
    for path in (root / "a" / "masks").iterdir():
        put_labels(path, np.zeros_like(labels(0)))
    assert faults(root) == [("masks", "the masks are empty: there is no object in any annotated frame")]
    stills = tmp_path_factory.mktemp("stills")
    put_picture(stills / "images" / "a.jpg")
    for object_id in (1, 2):
        put_binary(stills / "masks" / f"a_{object_id}.png", mask(0, object_id))
    assert [fault for _, fault in faults(stills)] == ["the mask of object 2 is empty"]


def test_masks_that_are_missing(tmp_path):
    for index in range(FRAMES):
        put_picture(tmp_path / "train" / "JPEGImages" / "a" / f"{index:05d}.jpg", index=index)
        if index != 3:
            put_labels(tmp_path / "train" / "Annotations" / "a" / f"{index:05d}.png", labels(index))
    assert faults(tmp_path) == [("00003.png", "it is missing")]


def test_run_lengths_and_annotation_files(tmp_path):
    for number in (1, 2, 3, 4):
        put_movie(tmp_path / f"sav_{number}.mp4")
        put_json(tmp_path / f"sav_{number}_manual.json", sa_v_json([1, 2]))
    damaged = sa_v_json([1, 2])
    damaged["masklet"][1][0]["counts"] = "123"
    damaged["masklet"][2][1]["size"] = [3, 4]
    put_json(tmp_path / "sav_1_manual.json", damaged)
    put(tmp_path / "sav_2_manual.json", "{")
    (tmp_path / "sav_3_manual.json").unlink()
    data = (tmp_path / "sav_4.mp4").read_bytes()
    put(tmp_path / "sav_4.mp4", data[:300])
    put_json(tmp_path / "sav_5_manual.json", sa_v_json([1, 2], 20))
    put_movie(tmp_path / "sav_5.mp4")
    found = faults(tmp_path)
    assert [file for file, _ in found[:2]] == ["sav_1_{manual,auto}.json"] * 2
    assert "object 1 of frame 4: The runs of an encoded mask cover" in found[0][1]
    assert "object 2 of frame 8: The runs of an encoded mask cover" in found[1][1]
    assert found[2][0] == "sav_2_manual.json"
    assert "cannot be parsed as JSON" in found[2][1]
    assert "found neither" in found[3][1]
    assert found[4][0] == "sav_4.mp4"
    assert [fault for _, fault in found[5:]] == [
        "it is of frame 12, but the last frame is 8",
        "it is of frame 16, but the last frame is 8",
    ]


def test_names_that_several_have(root):
    dataset = open_dataset(root)
    twice = VideoDataset(dataset.format, dataset.root, ("a", "a"), False, dataset.read)
    assert list(check_dataset(twice)) == [
        Fault("a", str(root), "2 entries have this name: results would overwrite each other")
    ]
