from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from masklet.video.image_header import image_size, webp_orientation
from masklet.video.images import decode_image, read_image, to_rgb_array

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def colors() -> np.ndarray:
    """Blocks of 8 pixels of random colours, which JPEG keeps well."""
    blocks = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), dtype=np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp"])
def test_lossless_files_give_their_pixels(tmp_path, colors, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(colors).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(read_image(path), colors)
    assert image_size(path.read_bytes()) == colors.shape[:2]


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_jpeg_of_every_colour_model(tmp_path, colors, mode):
    image = Image.fromarray(colors).convert(mode)
    image.save(tmp_path / "a.jpg", quality=100, subsampling=0)
    read = read_image(tmp_path / "a.jpg")
    assert read.shape == colors.shape
    assert np.abs(read.astype(int) - np.asarray(image.convert("RGB"))).mean() < 3


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), (9, 8, 7)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[9, 8, 7]]]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_keep_the_upper_eight(tmp_path, suffix):
    deep = np.random.default_rng(0).integers(0, 65536, (5, 7), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / f"a{suffix}")
    expected = np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2)
    cv2.imwrite(str(tmp_path / f"c{suffix}"), np.dstack([deep, deep, deep]))
    for name in "ac":
        difference = np.abs(read_image(tmp_path / f"{name}{suffix}").astype(int) - expected)
        assert difference.max() <= (suffix == ".tiff")  # the TIFF library rounds where the others cut


def test_transparency_is_dropped_and_palettes_are_looked_up(tmp_path, colors):
    alpha = np.random.default_rng(1).integers(0, 256, (*colors.shape[:2], 1), dtype=np.uint8)
    Image.fromarray(np.concatenate([colors, alpha], axis=2)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colors)
    few = Image.fromarray(colors).quantize(16)
    few.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), np.asarray(few.convert("RGB")))
    Image.fromarray(colors).convert("LA").save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png").shape == colors.shape


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, colors, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(colors).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    read = read_image(tmp_path / "a.jpg")
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).mean() < 2


@pytest.mark.parametrize("orientation", range(9))
def test_the_rotation_of_webp_does_not_depend_on_the_version_of_opencv(tmp_path, colors, orientation, monkeypatch):
    from PIL import ImageOps

    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(colors).save(tmp_path / "a.webp", exif=exif, lossless=True)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.webp")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp"), expected)
    decode = cv2.imdecode  # as before 4.13
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: decode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION))
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp"), expected)


def test_damaged_exif_of_webp_is_no_rotation(tmp_path, colors):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colors).save(tmp_path / "a.webp", exif=exif, lossless=True)
    data = (tmp_path / "a.webp").read_bytes()
    start = data.index(b"EXIF") + 8
    assert webp_orientation(data) == 6
    assert webp_orientation(data[:start]) is None
    for byte in range(start, len(data)):
        for value in (0, 1, 255):
            assert webp_orientation(data[:byte] + bytes([value]) + data[byte + 1 :]) in (None, *range(1, 9))
    assert webp_orientation(b"") is None


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_samples_of_32_bits_are_not_called_damaged(tmp_path, colors, kind):
    Image.fromarray(colors[..., 0].astype(kind)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"its samples are {np.dtype(kind)}, which is not supported"):
        read_image(tmp_path / "a.tif")


def test_huge_images_are_refused_by_their_header(tmp_path, colors, monkeypatch):
    for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif"):
        Image.fromarray(colors).save(tmp_path / f"a{suffix}")
        with monkeypatch.context() as patch:
            patch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
            with pytest.raises(ValueError, match=r"48x32 = 1,536 pixels, the limit is 1,535"):
                read_image(tmp_path / f"a{suffix}", max_pixels=1535)
        if suffix != ".gif":  # older OpenCV has no GIF
            assert read_image(tmp_path / f"a{suffix}", max_pixels=1536).shape == (32, 48, 3)


def test_webp_headers_of_all_kinds(colors):
    import io

    alpha = Image.fromarray(colors).convert("RGBA")
    alpha.putalpha(100)
    for image, options in [(Image.fromarray(colors), {}), (Image.fromarray(colors), {"lossless": True}), (alpha, {})]:
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", **options)
        assert image_size(buffer.getvalue()) == (32, 48)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_cut_off_files_are_refused(tmp_path, suffix, share, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ValueError, match=rf"a{suffix} cannot be decoded"):
        read_image(path)
    if suffix == ".png":
        assert capfd.readouterr().err == "", "libpng speaks for itself"


def test_what_is_no_image(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"no such image.*absent\.jpg"):
        read_image(tmp_path / "absent.jpg")
    with pytest.raises(ValueError, match="is a folder"):
        read_image(tmp_path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ValueError, match=r"empty\.jpg is empty"):
        read_image(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("not an image")
    with pytest.raises(ValueError, match=r"text\.jpg cannot be decoded"):
        read_image(tmp_path / "text.jpg")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PermissionError, match=r"No permission to read the image.*text\.jpg"):
        read_image(tmp_path / "text.jpg")


def test_random_bytes_never_crash():
    rng = np.random.default_rng(0)
    starts = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"BM",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"II*\0\x08\0\0\0",
        b"GIF89a",
        b"",
    ]
    for start in starts:
        for length in range(1, 60):
            with pytest.raises(ValueError, match="image"):
                decode_image(start + rng.bytes(length))


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=6)))
@settings(max_examples=50, deadline=None)
def test_every_kind_of_sample_means_the_same(grey):
    rgb = np.repeat(grey[..., None], 3, axis=2)
    deep = grey.astype(np.uint16) * 257
    for value in (
        grey,
        grey[..., None],
        rgb,
        np.dstack([rgb, 255 - grey]),
        deep,
        rgb / 255.0,
        rgb.astype(np.float32) / 255,
    ):
        np.testing.assert_array_equal(to_rgb_array(value), rgb)
    np.testing.assert_array_equal(to_rgb_array(grey > 99), np.where(rgb > 99, 255, 0))
    np.testing.assert_array_equal(to_rgb_array(torch.from_numpy(rgb).permute(2, 0, 1)), rgb)
    np.testing.assert_array_equal(to_rgb_array(torch.from_numpy(grey)), rgb)


def test_tensors_and_pil_images(colors):
    np.testing.assert_array_equal(to_rgb_array(torch.from_numpy(colors)), colors)
    np.testing.assert_array_equal(
        to_rgb_array(torch.from_numpy(colors / 255).permute(2, 0, 1).requires_grad_()), colors
    )
    for mode in ("RGB", "L", "P", "RGBA", "CMYK", "1", "LA"):
        image = Image.fromarray(colors).convert(mode)
        np.testing.assert_array_equal(to_rgb_array(image), np.asarray(image.convert("RGB")))
    deep = Image.fromarray(np.full((3, 4), 0xAB12, dtype=np.uint16))
    assert (to_rgb_array(deep) == 0xAB).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((3, 8, 9), dtype=np.uint8), "channels last"),
        (np.zeros((8, 9, 2), dtype=np.uint8), r"\(8, 9, 2\)"),
        (np.zeros(5, dtype=np.uint8), r"\(5,\)"),
        (np.zeros((0, 9, 3), dtype=np.uint8), "no pixels"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2, 3), np.inf), "NaN or infinite"),
        (np.full((2, 2, 3), 200.0), "0 to 1, got 200"),
        (np.zeros((2, 2, 3), dtype=np.int64), "int64"),
        ("photo.jpg", r"got the path 'photo.jpg': read it with masklet\.video\.images\.read_image"),
        (Path("a/b.png"), "got the path 'a/b.png'"),
    ],
)
def test_malformed_images(value, message):
    with pytest.raises(ValueError, match=message):
        to_rgb_array(value)
