from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_sets import FRAMES, labels, put_labels, put_picture

from masklet.data.frames import folder_frames
from masklet.data.records import AnnotatedVideo, VideoDataset
from masklet.data.truths import LabelMaps, ObjectMasks
from masklet.video.frames import open_source


@pytest.fixture
def video(tmp_path):
    for index in range(FRAMES):
        put_picture(tmp_path / "frames" / f"{index}.jpg", index=index)
    put_labels(tmp_path / "4.png", labels(4))
    put_labels(tmp_path / "6.png", np.ascontiguousarray(labels(6)[:16]))
    files = {4: tmp_path / "4.png", 6: tmp_path / "6.png"}
    return AnnotatedVideo("walk", folder_frames(tmp_path / "frames"), LabelMaps(tmp_path, lambda: files))


def test_masks_may_be_chosen(video):
    assert list(video.masks(4)) == [1, 2]
    assert list(video.masks(4, [2, 9])) == [2]
    assert video.masks(4, []) == {}


def test_an_absent_object_has_no_entry(video, tmp_path):
    nothing = ObjectMasks(tmp_path, lambda: {0: {3: lambda: np.zeros(video.size, bool)}})
    still = AnnotatedVideo("a", video.frames, nothing)
    assert still.objects(0) == (3,)
    assert still.masks(0) == {}


def test_frames_are_a_source_that_can_be_opened(video, tmp_path):
    assert len(video.images) == FRAMES
    assert (video.images[-1] == video.image(8)).all()
    assert [int(image[0, 0, 0]) for image in video.images[2:5]] == [int(video.image(i)[0, 0, 0]) for i in (2, 3, 4)]
    with pytest.raises(IndexError):
        video.images[9]
    opened, folder = open_source(video.images), open_source(tmp_path / "frames")
    assert (opened.length, opened.size) == (folder.length, folder.size)
    assert all((opened.frame(i) == folder.frame(i)).all() for i in (7, 0, 1))


def test_mistakes_are_named(video, tmp_path):
    with pytest.raises(KeyError, match="frame 0 of walk is not annotated: take one of 4, 6"):
        video.masks(0)
    with pytest.raises(KeyError, match="frame 0"):
        video.unknown(0)
    with pytest.raises(IndexError, match="walk has frames 0 to 8, got 9"):
        video.image(9)
    with pytest.raises(ValueError, match="mask of object 1 in frame 6 has 48x16 pixels, the frames have 48x32"):
        video.masks(6)
    put_picture(tmp_path / "frames" / "2.jpg", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"2\.jpg has 8x8 pixels, the first frame has 48x32"):
        video.image(2)


def test_a_data_set_is_a_sequence(video):
    dataset = VideoDataset("mose", "root", ("a", "b"), False, lambda index: replace(video, name="ab"[index]))
    assert [one.name for one in dataset] == ["a", "b"]
    assert dataset[-1].name == "b"
    with pytest.raises(IndexError, match="the mose data set in root has 2 entries, got 2"):
        dataset[2]
