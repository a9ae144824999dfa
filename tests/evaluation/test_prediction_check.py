"""Every fault is named, all at once, before anything is scored."""

from __future__ import annotations

import numpy as np
import pytest

from masklet.evaluation.prediction_check import check_predictions
from masklet.evaluation.rules import RULES
from video_trees import NOTHING, palette_set, put, put_grey, put_labels, put_objects, sa_v_set, square

TRUTH = [square(0, 1, square(30, 2))] * 5


@pytest.fixture
def good(tmp_path):
    """Two videos and sound predictions of them."""
    dataset = palette_set(tmp_path / "set", {"a": TRUTH, "b": TRUTH})
    for name in "ab":
        for frame in range(5):
            put_labels(tmp_path / "out" / name / f"{frame:05d}.png", TRUTH[0])
    return dataset, tmp_path / "out"


@pytest.fixture
def good_objects(tmp_path):
    dataset = sa_v_set(tmp_path / "set", {"a": {0: [square(0)] * 4, 1: [square(20)] * 4}})
    put_objects(tmp_path / "out/a", {0: [square(0)] * 4, 1: [square(20)] * 4})
    return dataset, tmp_path / "out"


def faults(found):
    return [(one.record, one.fault) for one in found.faults]


def notes(found):
    return [(one.record, one.fault) for one in found.notes]


def test_sound_predictions_have_neither_faults_nor_notes(good):
    found = check_predictions(*good)
    assert (found.faults, found.notes) == ((), ())


def test_all_faults_of_all_videos_are_listed_at_once(good):
    dataset, out = good
    (out / "a/00001.png").unlink()
    (out / "a/00003.png").unlink()
    put_grey(out / "a/00002.png", np.zeros((20, 30), np.uint8))
    for path in (out / "b").iterdir():
        path.unlink()
    (out / "b").rmdir()
    found = check_predictions(dataset, out)
    assert faults(found) == [
        ("a", "frames are missing, 2 of 3: 00001, 00003"),
        ("a", "files of 30x20 pixels, the video has 60x40: 00002"),
        ("b", "the video is missing: there is no such folder"),
    ]
    assert found.faults[2].file == str(out / "b")


def test_frames_that_do_not_count_may_be_missing(good):
    dataset, out = good
    (out / "a/00000.png").unlink()
    (out / "a/00004.png").unlink()
    found = check_predictions(dataset, out)
    assert found.faults == ()
    assert notes(found) == [("a", "frames are missing that do not count: 00000, 00004")]
    assert faults(check_predictions(dataset, out, RULES["youtube_vos"])) == [("a", "frames are missing, 1 of 4: 00004")]


def test_what_is_not_scored_is_noted(tmp_path):
    dataset = palette_set(tmp_path / "set", {"a": [square(0), square(0), None, None, square(0)]})
    out = tmp_path / "out"
    for frame in (0, 1, 2, 3, 4, 77):
        put_labels(out / "a" / f"{frame:05d}.png", square(0))
    put(out / "a/readme.txt", b"hello")
    (out / "z").mkdir()
    found = check_predictions(dataset, out)
    assert found.faults == ()
    assert notes(found) == [
        ("a", "frames without truth, not scored: 00002, 00003"),
        ("a", "files of no frame of the video, not read: 00077"),
        ("a", "entries that are not read: readme.txt"),
        ("", "folders of no video of the data set, not scored: z"),
    ]


def test_damaged_and_colour_files(good):
    dataset, out = good
    whole = (out / "a/00002.png").read_bytes()
    put(out / "a/00001.png", b"")
    put(out / "a/00002.png", whole[:-30])
    put_grey(out / "a/00003.png", np.zeros((40, 60, 3), np.uint8))
    assert faults(check_predictions(dataset, out)) == [
        ("a", "no PNG files, or empty ones: 00001"),
        ("a", "files cut short: 00002"),
        ("a", "files with colours in place of labels, to be saved as indexed or grey PNG: 00003"),
    ]


def fill(out, made):
    for frame in range(5):
        put_grey(out / "a" / f"{frame:05d}.png", made)


def test_a_binary_mask_in_place_of_labels_is_named(good):
    dataset, out = good
    fill(out, (TRUTH[0] > 0).astype(np.uint8) * 255)
    (found,) = check_predictions(dataset, out).faults
    assert found.file == str(out / "a/00001.png")
    assert found.fault.startswith("it has the ids 255, the truth has 1, 2: it looks like a binary mask of 0 and 255")
    fill(out, (TRUTH[0] > 0).astype(np.uint16) * 65535)
    assert "0 and 65535" in check_predictions(dataset, out).faults[0].fault
    fill(out, (TRUTH[0] > 0).astype(np.uint8))
    assert check_predictions(dataset, out).faults == ()


def test_palette_colours_made_grey_are_named(good):
    dataset, out = good
    fill(out, np.array([0, 38, 75], np.uint8)[TRUTH[0]])  # dark red and dark green
    (found,) = check_predictions(dataset, out).faults
    assert "ids 38, 75, the truth has 1, 2: these are the grey levels of the palette's colours 1, 2" in found.fault


def test_other_ids_are_named(good):
    dataset, out = good
    fill(out, np.array([0, 1, 7], np.uint8)[TRUTH[0]])
    assert faults(check_predictions(dataset, out)) == [
        ("a", "it has the ids 7, the truth has 1, 2: write the ids of the prompts")
    ]


def test_a_void_label_in_the_truth_does_not_excuse_a_binary_mask(tmp_path):
    truth = square(0, 1, square(30, 255))
    dataset = palette_set(tmp_path / "set", {"a": [truth] * 5})
    fill(tmp_path / "out", (truth == 1).astype(np.uint8) * 255)
    assert "binary mask" in check_predictions(dataset, tmp_path / "out", RULES["vost"]).faults[0].fault
    fill(tmp_path / "out", truth)
    assert check_predictions(dataset, tmp_path / "out", RULES["vost"]).faults == ()


def test_davis_2016_takes_any_label_for_the_object(tmp_path):
    dataset = palette_set(tmp_path / "set", {"a": [square(0)] * 5})
    fill(tmp_path / "out", square(0) * 255)
    assert check_predictions(dataset, tmp_path / "out", RULES["davis16"]).faults == ()
    assert check_predictions(dataset, tmp_path / "out", RULES["davis17"]).faults != ()


def test_16_bit_maps_of_known_ids_are_noted(good):
    dataset, out = good
    fill(out, TRUTH[0].astype(np.uint16))
    found = check_predictions(dataset, out)
    assert found.faults == ()
    assert notes(found)[0][1].startswith("16-bit files, which evaluators of DAVIS and its kin do not read: 00000")


def test_a_video_without_truth_is_named(tmp_path):
    dataset = palette_set(tmp_path / "set", {"a": [None] * 4, "b": [square(0), None, None, None]})
    found = check_predictions(dataset, tmp_path)
    assert [one.record for one in found.faults] == ["a", "b"]
    assert "there is no ground truth" in found.faults[0].fault
    assert "no object of b can be scored" in found.faults[1].fault
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        check_predictions(dataset, tmp_path / "nowhere")


def test_a_damaged_truth_is_named(good):
    dataset, out = good
    put(dataset_file := out.parent / "set/Annotations/a/00001.png", b"no picture")
    put_labels(out / "a/00001.png", square(0, 5))
    (found,) = check_predictions(dataset, out).faults
    assert str(dataset_file) in found.fault


def test_label_maps_are_no_folders_of_objects(good):
    assert "holds PNG files" in check_predictions(*good, RULES["plain"], "objects").faults[0].fault


def test_folders_of_objects_are_no_label_maps(good_objects):
    dataset, out = good_objects
    assert "holds folders" in check_predictions(dataset, out, RULES["plain"], "merged").faults[0].fault


def test_objects_have_folders_with_their_frames(good_objects):
    dataset, out = good_objects
    found = check_predictions(dataset, out, RULES["sa_v"], "objects")
    assert (found.faults, found.notes) == ((), ())
    for path in (out / "a/001").iterdir():
        path.unlink()
    (out / "a/001").rmdir()
    (out / "a/000/00008.png").unlink()
    put_grey(out / "a/000/00001.png", NOTHING)
    put_grey(out / "a/005/00004.png", NOTHING)
    found = check_predictions(dataset, out, RULES["sa_v"], "objects")
    assert faults(found) == [
        ("a", "frames are missing, 1 of 2: 00008"),
        ("a", "object 1 is missing: there is no such folder"),
    ]
    assert notes(found) == [
        ("a", "frames without truth, not scored: 00001"),
        ("a", "the truth has no object 5: not scored"),
    ]


def test_an_object_needs_only_the_frames_that_its_own_truth_lists(tmp_path):
    dataset = sa_v_set(tmp_path, {"a": {0: [square(0)] * 5, 1: [square(20)] * 3}})
    put_objects(tmp_path / "out/a", {0: [square(0)] * 5, 1: [square(20)] * 3})
    assert check_predictions(dataset, tmp_path / "out", RULES["sa_v"], "objects").faults == ()
