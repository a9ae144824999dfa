"""Label maps survive the trip through PNG files, whoever wrote them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from masklet.masks.label_png import encode_label_png, read_label_png, write_label_png

PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)


def _labels(high: int, shape: tuple[int, int] = (37, 53)) -> np.ndarray:
    return np.random.default_rng(1).integers(0, high, shape, dtype=np.uint8)


@pytest.mark.parametrize("palette", [None, PALETTE])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (37, 53)])
def test_written_maps_are_read_back(tmp_path, palette, shape):
    labels = _labels(256, shape)
    write_label_png(tmp_path / "a.png", labels, palette)
    read = read_label_png(tmp_path / "a.png")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, labels)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), labels)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indices_of_palette_files_from_elsewhere(bits):
    labels = _labels(2**bits)
    image = Image.fromarray(labels, "P")
    image.putpalette(PALETTE.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=bits, optimize=False)
    np.testing.assert_array_equal(read_label_png(buffer.getvalue()), labels)


def test_grey_files_of_one_and_sixteen_bits():
    for array in (_labels(2).astype(bool), (_labels(256).astype(np.uint16) * 257)):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "PNG")
        np.testing.assert_array_equal(read_label_png(buffer.getvalue()), array)


def test_every_filter_type_of_a_smooth_map():
    labels = (np.add.outer(np.arange(64), np.arange(80)) % 251).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG")
    np.testing.assert_array_equal(read_label_png(buffer.getvalue()), labels)


def test_damage_is_named():
    data = encode_label_png(_labels(9), PALETTE)
    with pytest.raises(ValueError, match="cut short"):
        read_label_png(data[:-20])
    with pytest.raises(ValueError, match="checksum"):
        read_label_png(data[:900] + bytes([data[900] ^ 1]) + data[901:])
    with pytest.raises(ValueError, match="not a PNG"):
        read_label_png(b"")
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    with pytest.raises(ValueError, match="RGB colour"):
        read_label_png(buffer.getvalue())


@pytest.mark.parametrize(
    ("labels", "palette", "message"),
    [
        (np.zeros((2, 2, 3), np.uint8), None, "shape"),
        (np.zeros((0, 2), np.uint8), None, "shape"),
        (np.zeros((2, 2)), None, "whole numbers"),
        (np.full((2, 2), 300), None, "300"),
        (np.full((2, 2), 3, np.uint8), PALETTE[:2], "palette"),
    ],
)
def test_maps_that_cannot_be_written(labels, palette, message):
    with pytest.raises(ValueError, match=message):
        encode_label_png(labels, palette)


def test_given_bytes_are_called_as_asked():
    with pytest.raises(ValueError, match=r"^s3://a/b\.png is not a PNG file"):
        read_label_png(b"x", "s3://a/b.png")
    with pytest.raises(ValueError, match=r"^the given bytes"):
        read_label_png(b"x")
