from __future__ import annotations

import io
from uuid import uuid4

import cv2
import numpy as np
import pytest
from made_sets import SIZE, put, put_labels, put_picture
from mini_sets import bsds_map
from scipy.io import savemat

from masklet.data.bsds import ANNOTATOR_STEP, open_bsds
from masklet.data.check import check_dataset
from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations, data_path
from masklet.data.regions import bsds_dev_regions
from masklet.data.stats import DatasetStats
from masklet.training.recipe import Stage
from masklet.training.sources import Images


def fine() -> np.ndarray:
    """Left (1) and right (2) half, a square (300) and a speck (4) of less than half a percent."""
    labels = np.full(SIZE, 1, np.uint16)
    labels[:, 24:] = 2
    labels[4:14, 4:14] = 300
    labels[20:22, 30:33] = 4
    return labels


def coarse() -> np.ndarray:
    labels = np.full(SIZE, 1, np.uint16)
    labels[16:] = 2
    return labels


def put_mat(path, *maps, field="Segmentation", name="groundTruth"):
    cells = np.empty((1, len(maps)), object)
    for place, labels in enumerate(maps):
        cells[0, place] = {field: labels, "Boundaries": np.zeros(SIZE, bool)}
    file = io.BytesIO()
    savemat(file, {name: cells}, do_compression=True)
    return put(path, file.getvalue())


def original(root, split="train", name="12", maps=None):
    """An image in the original layout; gives the file of its maps."""
    put_picture(root / "images" / split / f"{name}.jpg")
    return put_mat(root / "groundTruth" / split / f"{name}.mat", *([fine(), coarse()] if maps is None else maps))


def pngs(root, split="train", name="12"):
    """The same in PNGs; gives the folder of the split."""
    put_picture(root / split / "images" / f"{name}.jpg")
    for annotator, labels in enumerate([fine(), coarse()]):
        data = cv2.imencode(".png", labels)[1].tobytes()
        put(root / split / "labels" / f"{name}_a{annotator}.png", data)
    return root / split


@pytest.mark.parametrize("write", [original, pngs])
@pytest.mark.parametrize("kind", ["local", "memory"])
def test_regions_of_every_annotator_are_objects_and_specks_are_not(tmp_path, write, kind):
    root = data_path(tmp_path if kind == "local" else f"memory://{uuid4().hex}")
    write(root)
    dataset = open_dataset(root)
    assert (dataset.format, dataset.names, dataset.stills) == ("bsds", ("12",), True)
    masks = dataset[0].masks(0)
    assert list(masks) == [1, 2, 300, ANNOTATOR_STEP + 1, ANNOTATOR_STEP + 2]
    np.testing.assert_array_equal(masks[300], fine() == 300)
    np.testing.assert_array_equal(masks[ANNOTATOR_STEP + 2], coarse() == 2)
    assert dataset[0].unknown(0) == frozenset()


def test_the_folder_above_and_a_split_of_pngs_are_recognised(tmp_path):
    original(tmp_path / "BSDS500" / "data")
    assert open_dataset(tmp_path / "BSDS500").names == ("12",)
    one = open_dataset(pngs(tmp_path / "png", "test"))
    assert (one.format, len(one[0].masks(0))) == ("bsds", 5)


@pytest.mark.parametrize("write", [original, pngs])
def test_splits(tmp_path, write):
    write(tmp_path, "val", "7")
    write(tmp_path, "test", "9")
    with pytest.raises(ValueError, match="has the splits test, val: say which"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, split="val").names == ("7",)
    with pytest.raises(FileNotFoundError, match=r"no split 'dev' in .* found test, val"):
        open_dataset(tmp_path, split="dev")
    write(tmp_path, "train", "5")
    assert open_dataset(tmp_path).names == ("5",)
    for photo in (tmp_path / ("images/test" if write is original else "test/images")).iterdir():
        photo.unlink()
    with pytest.raises(FileNotFoundError, match=r"expected images .* found none"):
        open_dataset(tmp_path, split="test")


def test_masks_are_those_of_the_regions_that_are_scored(mini_root):
    (image,) = open_dataset(mini_root / "images" / "bsds500", split="test")
    (scored,) = bsds_dev_regions(mini_root)
    masks = image.masks(0)
    np.testing.assert_array_equal([masks[number] for number in (1, 2, 3)], scored.masks)
    np.testing.assert_array_equal(masks[ANNOTATOR_STEP + 4], bsds_map() == 3)


def test_nothing_is_wrong_and_all_is_counted(tmp_path):
    original(tmp_path)
    dataset = open_dataset(tmp_path)
    assert list(check_dataset(dataset)) == []
    stats = DatasetStats()
    stats.add(dataset[0])
    assert stats.summary()["masks"] == 5


def faults(root) -> list[tuple[str, str]]:
    return [(one.file.rsplit("/", 1)[-1], one.fault) for one in check_dataset(open_dataset(root))]


def test_faults_of_pngs_are_said_once_with_their_file(tmp_path):
    labels = pngs(tmp_path, name="1") / "labels"
    for name in "234":
        pngs(tmp_path, name=name)
    put_labels(labels / "1_a1.png", np.ones((8, 9), np.uint8))
    for annotator in (0, 1):
        (labels / f"2_a{annotator}.png").unlink()
    put(labels / "3_a1.png", b"no png")
    (size_file, size), missing, (_, damaged) = faults(tmp_path)
    assert size_file == "1_a1.png"
    assert "shape (8, 9), the image (32, 48)" in size
    assert missing == ("2_a0.png", "it is missing")
    assert "3_a1.png is not a PNG file" in damaged


def test_faults_of_matlab_files(tmp_path):
    original(tmp_path, name="1", maps=[fine(), coarse()[:8]])
    original(tmp_path, name="2").unlink()
    put(original(tmp_path, name="3"), b"MATLAB 5.0")
    put_mat(original(tmp_path, name="4"), fine(), name="truth")
    put_mat(original(tmp_path, name="5"), fine(), field="Regions")
    original(tmp_path, name="6", maps=[])
    original(tmp_path, name="7", maps=[fine() / 2])
    original(tmp_path, name="8", maps=[fine() - np.int32(2)])
    whole = original(tmp_path, name="9")
    put(whole, whole.read_bytes()[:-40])
    found = faults(tmp_path)
    assert [file for file, _ in found] == [f"{number}.mat" for number in range(1, 10)]
    for (_, what), expected in zip(
        found,
        [
            "a map has shape (8, 48), the image (32, 48)",
            "it is missing",
            "cannot be read as a MATLAB file",
            "it has no groundTruth, found truth",
            "a field Segmentation",
            "is empty",
            "float64 (32, 48), expected whole numbers",
            "numbered -1 to 298, expected 1 to 99999",
            "cannot be read as a MATLAB file",
        ],
        strict=True,
    ):
        assert expected in what


def test_an_empty_map_has_no_object(tmp_path):
    original(tmp_path, maps=[np.zeros(SIZE, np.uint16)])
    assert [what for _, what in faults(tmp_path)] == ["the masks are empty: there is no object in any annotated frame"]


def test_reading_names_the_file(tmp_path):
    put_mat(original(tmp_path), fine(), name="truth")
    with pytest.raises(BrokenAnnotations, match=r"12\.mat: it has no groundTruth"):
        open_bsds(tmp_path)[0].masks(0)


def test_scipy_is_asked_for_where_it_is_needed(tmp_path, monkeypatch):
    original(tmp_path / "a")
    pngs(tmp_path / "b")
    monkeypatch.setattr("masklet.data.bsds.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"need scipy: pip install 'masklet\[train\]'"):
        open_dataset(tmp_path / "a")
    assert len(open_dataset(tmp_path / "b")[0].masks(0)) == 5


def test_it_can_be_trained_on(tmp_path):
    original(tmp_path)
    sample, name = Images(str(tmp_path)).sample(0, np.random.default_rng(0), Stage(size=32, masks=4))
    assert (name, sample["masks"].shape) == ("12", (4, 32, 32))
    assert sample["masks"].any((1, 2)).all()


def test_the_held_out_images(shared_root):
    dataset = open_dataset(shared_root / "images" / "bsds500", split="test")
    assert (dataset.format, len(dataset)) == ("bsds", 100)
    ids = dataset[0].objects(0)
    assert {number // ANNOTATOR_STEP for number in ids} == set(range(5))
