"""What is written for servers, and that it is read back as it was."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from masklet.data.check import Fault
from masklet.evaluation.prediction_folders import (
    BadPredictions,
    LabelMasks,
    PredictionWriter,
    frame_names,
    read_predictions,
)
from masklet.masks.label_png import read_label_png
from masklet.masks.palette import davis_palette
from video_trees import NOTHING, palette_set, put, put_grey, put_labels, put_objects, sa_v_set, square

NONE = NOTHING > 0


def at(x):
    return square(x) > 0


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def video(tmp_path):
    return palette_set(tmp_path / "set", {"v": [square(0)] * 4})[0]


def test_merged_maps_have_the_palette_and_the_lowest_id_wins(video, tmp_path):
    writer = PredictionWriter(tmp_path / "out")
    writer.add(video, 1, {2: at(5), 1: at(0)})
    writer.finish(video)
    assert files(tmp_path / "out") == [f"v/0000{t}.png" for t in range(4)]
    data = (tmp_path / "out/v/00001.png").read_bytes()
    labels = read_label_png(data)
    assert np.bincount(labels.ravel())[1:].tolist() == [100, 50]
    assert labels[14, 7] == 1
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture[14, 2, ::-1].tolist() == davis_palette()[1].tolist()
    assert not read_label_png(tmp_path / "out/v/00003.png").any()


def test_files_of_objects_keep_overlaps_and_are_there_for_all(video, tmp_path):
    writer = PredictionWriter(tmp_path, "objects")
    writer.add(video, 0, {0: at(0), 12: at(5)})
    writer.finish(video, ids=(7,))
    assert files(tmp_path / "v") == [f"{o:03d}/0000{t}.png" for o in (0, 7, 12) for t in range(4)]
    assert (read_label_png(tmp_path / "v/000/00000.png") == at(0)).all()
    assert (read_label_png(tmp_path / "v/012/00000.png") == at(5)).all()
    assert not read_label_png(tmp_path / "v/007/00000.png").any()


def test_files_are_named_like_frames_and_only_every_fifth_where_told(tmp_path):
    for number in range(10, 22):
        put_grey(tmp_path / "set/JPEGImages/v" / f"{number:08d}.png", np.zeros((40, 60, 3), np.uint8))
    put_labels(tmp_path / "set/Annotations/v/00000010.png", square(0))
    video = palette_set(tmp_path / "set", {})[0]
    assert frame_names(video)[0] == "00000010"
    writer = PredictionWriter(tmp_path / "out", every=5)
    for frame in range(12):
        writer.add(video, frame, {1: at(frame)})
    writer.finish(video)
    assert files(tmp_path / "out/v") == ["00000010.png", "00000015.png", "00000020.png"]
    assert read_label_png(tmp_path / "out/v/00000015.png")[15].argmax() == 5
    with pytest.raises(ValueError, match="every=0"):
        PredictionWriter(tmp_path, every=0)


def test_ids_above_255_are_16_bit(video, tmp_path):
    writer = PredictionWriter(tmp_path)
    writer.add(video, 0, {300: at(5), 2: at(0)})
    labels = read_label_png(tmp_path / "v/00000.png")
    assert labels.dtype == np.uint16
    assert labels[14, 7] == 2
    assert labels[14, 12] == 300
    with pytest.raises(ValueError, match="70000 does not fit"):
        writer.add(video, 0, {70000: at(5)})
    with pytest.raises(ValueError, match="0"):
        writer.add(video, 0, {0: at(5)})


@pytest.mark.parametrize("layout", ["merged", "objects"])
def test_what_was_written_is_read(video, tmp_path, layout):
    answers = [{1: at(0), 2: at(30)}, {1: at(3), 2: NONE}, {}, {2: at(8)}]
    writer = PredictionWriter(tmp_path, layout)
    for frame, masks in enumerate(answers):
        writer.add(video, frame, masks)
    writer.finish(video)
    read = dict(read_predictions(video, tmp_path, layout))
    assert [*read] == [0, 1, 2, 3]
    for frame, masks in enumerate(answers):
        for object_id in (1, 2):
            assert (read[frame].get(object_id, NONE) == masks.get(object_id, NONE)).all()
    assert 2 not in read[1] or layout == "objects"


def test_only_annotated_frames_are_read(tmp_path):
    video = sa_v_set(tmp_path, {"v": {0: [square(0)] * 3}})[0]
    put_objects(tmp_path / "out/v", {0: [square(0)] * 9}, step=1)
    assert [frame for frame, _ in read_predictions(video, tmp_path / "out", "objects")] == [0, 4, 8]


def test_masks_of_a_map_are_made_when_asked_for():
    masks = LabelMasks(square(30, 255, square(0, 3)))
    assert [*masks] == [3, 255]
    assert len(masks) == 2
    assert (masks[3] == at(0)).all()
    assert masks.get(4) is None


def test_every_file_that_cannot_be_read_is_named(video, tmp_path):
    good = put_labels(tmp_path / "v/00000.png", square(0)).read_bytes()
    broken = bytearray(good)
    broken[-20] ^= 255
    put(tmp_path / "v/00001.png", bytes(broken))
    put_grey(tmp_path / "v/00002.png", np.zeros((20, 30), np.uint8))
    put_grey(tmp_path / "v/00003.png", np.zeros((40, 60, 3), np.uint8))
    read = read_predictions(video, tmp_path)
    assert next(read)[0] == 0
    with pytest.raises(BadPredictions) as caught:
        next(read)
    assert [one.file for one in caught.value.faults] == [str(tmp_path / f"v/0000{t}.png") for t in (1, 2, 3)]
    for text in ("3 faults", "checksum", "30x20 pixels, the video has 60x40", "RGB colour, expected labels"):
        assert text in str(caught.value)


def test_several_values_in_a_file_of_one_object_are_named(video, tmp_path):
    put_labels(tmp_path / "v/001/00000.png", square(0, 1, square(30, 2)))
    with pytest.raises(BadPredictions, match=r"2 values besides 0 \(1, 2\), expected one.*layout is merged"):
        list(read_predictions(video, tmp_path, "objects"))


def test_the_error_travels_between_processes():
    error = BadPredictions([Fault("v", "v/a.png", "it is bad")])
    again = pickle.loads(pickle.dumps(error))
    assert (again.faults, str(again)) == (error.faults, str(error))
