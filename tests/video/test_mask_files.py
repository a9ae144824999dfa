from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from masklet.masks.palette import davis_palette
from masklet.video.mask_files import decode_mask, is_written_mask, read_mask_file, write_mask_file

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, (9, 13), dtype=np.uint8)


def test_written_files_are_indexed_in_the_davis_palette(tmp_path, labels):
    labels[0, 0] = 255
    write_mask_file(tmp_path / "a.png", labels)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), labels)
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), davis_palette()[labels])
    read = read_mask_file(tmp_path / "a.png")
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, labels)


def test_written_files_are_told_from_others(tmp_path, labels):
    write_mask_file(tmp_path / "a.png", labels)
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"Software": "masklet"}
        image.save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"")
    assert [is_written_mask(tmp_path / f"{name}.png") for name in "abc"] == [True, False, False]


@pytest.mark.parametrize("kind", ["indexed", "grey", "colour", "colour and alpha", "16 bits"])
def test_ids_are_read_from_every_kind_of_file(tmp_path, labels, kind):
    if kind == "indexed":
        image = Image.fromarray(labels)
        image.putpalette(np.random.default_rng(1).integers(0, 256, 768, dtype=np.uint8).tobytes())
    elif kind == "grey":
        image = Image.fromarray(labels)
    elif kind == "16 bits":
        image = Image.fromarray(labels.astype(np.uint16))
    else:
        image = Image.fromarray(davis_palette()[labels])
        image = image.convert("RGBA") if "alpha" in kind else image
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask_file(tmp_path / "a.png"), labels)


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "LA"])
def test_black_and_white_is_one_object(tmp_path, labels, mode):
    inside = labels > 1
    Image.fromarray(inside.astype(np.uint8) * 255).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask_file(tmp_path / "a.png"), inside)


@pytest.mark.parametrize("value", [0, 255])
def test_all_background_and_all_object(tmp_path, value):
    Image.new("L", (5, 4), value).save(tmp_path / "a.png")
    assert (read_mask_file(tmp_path / "a.png") == value // 255).all()


def test_what_is_no_label_file(tmp_path, labels, monkeypatch):
    path = tmp_path / "a.png"
    with pytest.raises(FileNotFoundError, match=r"no such mask file.*a\.png"):
        read_mask_file(path)
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)
    with pytest.raises(ValueError, match="soft mask"):
        read_mask_file(path)
    Image.fromarray(np.full((4, 4, 3), (1, 2, 3), dtype=np.uint8)).save(path)
    with pytest.raises(ValueError, match="#010203"):
        read_mask_file(path)
    Image.fromarray(labels).save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"a\.jpg is no PNG"):
        read_mask_file(tmp_path / "a.jpg")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no PNG"):
        read_mask_file(path)
    write_mask_file(path, labels)
    with pytest.raises(ValueError, match=r"limit is 116: pass a larger max_pixels \(--max-pixels\)"):
        read_mask_file(path, max_pixels=116)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"a\.png"):
        read_mask_file(path)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PermissionError, match="No permission to read the mask file"):
        read_mask_file(path)


def test_bytes_are_read_as_files_are(tmp_path):
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_mask_file(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(decode_mask((tmp_path / "a.png").read_bytes()), labels)
    with pytest.raises(ValueError, match=r"^b is no PNG file"):
        decode_mask(b"x", name="b")
