"""Reading sequence folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.data.sequences import iter_sequences, read_sequence
from masklet.masks.label_png import write_label_png

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "videos" / "dev" / "clip"
    (folder / "frames").mkdir(parents=True)
    (folder / "masks").mkdir()
    for i in (1, 2, 9, 10):
        image = np.full((8, 12, 3), (0, 0, 10 * i), np.uint8)  # BGR: red grows
        (folder / "frames" / f"f{i}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    for i, ids in ((2, (3,)), (10, (3, 7))):
        labels = np.zeros((8, 12), np.uint8)
        labels[0, : len(ids)] = ids
        write_label_png(folder / "masks" / f"f{i}.png", labels)
    return folder


def test_frames_are_in_natural_order_and_masks_belong_to_them(folder):
    sequence = read_sequence(folder)
    assert [p.stem for p in sequence.frames] == ["f1", "f2", "f9", "f10"]
    assert sequence.annotated == (1, 3)
    assert sequence.objects == {3: 1, 7: 3}
    assert np.argwhere(sequence.mask(3, 7)).tolist() == [[0, 1]]
    assert sequence.folder == folder / "frames"
    with pytest.raises(KeyError, match="frame 0"):
        sequence.labels(0)


def test_images_are_rgb(folder):
    image = read_sequence(folder).image(3)
    assert image.shape == (8, 12, 3)
    assert image[0, 0, 0] > 90
    assert image[..., 1:].max() < 10


def test_iter_sequences(folder, tmp_path):
    assert [s.name for s in iter_sequences(tmp_path, "dev")] == ["clip"]
    with pytest.raises(FileNotFoundError, match="train"):
        next(iter_sequences(tmp_path, "train"))


def test_mistakes_are_named(folder, tmp_path):
    (folder / "masks" / "f3.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"f3\.png"):
        read_sequence(folder)
    with pytest.raises(FileNotFoundError, match="images"):
        read_sequence(tmp_path)
    for path in (folder / "masks").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="no masks"):
        read_sequence(folder)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data")
def test_the_development_sequences():
    sequences = {s.name: s for s in iter_sequences(DATA, "dev")}
    assert len(sequences) == 14
    girls = sequences["davis17_schoolgirls"]
    assert girls.objects == dict.fromkeys(range(1, 8), 0)
    assert girls.image(0).shape[:2] == girls.labels(0).shape == (240, 432)
