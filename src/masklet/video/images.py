"""Single images: from files and from arrays of many kinds to 8-bit RGB."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from .image_header import TIFF_STARTS, image_size, webp_orientation

DEFAULT_MAX_PIXELS = 100_000_000
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm"})


def read_image(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """Read an image file as 8-bit RGB, turned upright as its EXIF orientation says.

    Grey becomes RGB, of 16-bit samples the upper 8 bits are kept (of a TIFF rounded), CMYK is converted, of an
    animation the first image is taken. Transparency is dropped: the colours stored under it appear (of a TIFF, blended
    over black).

    Args:
        path: Any format OpenCV decodes: JPEG, PNG, WebP, BMP, TIFF and more; the content decides, not the suffix.
        max_pixels: Larger images are refused, by their header, before being decoded.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: The file may not be read.
        ValueError: The file is empty, is no image, is damaged or cut off, or has more than ``max_pixels`` pixels.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: expected an image file.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, "There is no such image", str(path)) from error
    except PermissionError as error:
        raise PermissionError(error.errno, "No permission to read the image", str(path)) from error
    return decode_image(data, name=str(path), max_pixels=max_pixels)


def decode_image(
    data: bytes, *, name: str = "image", max_pixels: int = DEFAULT_MAX_PIXELS
) -> UInt8[np.ndarray, "h w 3"]:
    """Decode the bytes of an image file as ``read_image`` does; ``name`` is what errors call it.

    Raises:
        ValueError: As for ``read_image``.
    """
    if not data:
        raise ValueError(f"{name} is empty (0 bytes): expected an image.")
    size = image_size(data)
    if size is not None:
        _check_pixels(size, name, max_pixels)
    turn = webp_orientation(data)  # OpenCV applies that of other formats, that of WebP only since 4.13
    flags = cv2.IMREAD_COLOR if turn is None else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = _decode(data, flags, name)
    if image is None:
        other = _decode(data, cv2.IMREAD_UNCHANGED, name) if data[:4] in TIFF_STARTS else None
        if other is not None:
            raise ValueError(
                f"{name} cannot be read as an image: its samples are {other.dtype}, which is not supported: save it "
                "with 8 or 16 bits a channel."
            )
        stated = f"its header states {size[1]}x{size[0]} pixels, but its content" if size else "its content"
        raise ValueError(f"{name} cannot be decoded as an image: {stated} is damaged, cut off or of an unknown format.")
    _check_pixels(image.shape[:2], name, max_pixels)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return image if turn is None else _turned(image, turn)


def to_rgb_array(value: Any) -> UInt8[np.ndarray, "h w 3"]:
    """Turn an image held in memory into 8-bit RGB; the input is never changed, but may be returned itself.

    Args:
        value: A NumPy array ``h w``, ``h w 1``, ``h w 3`` or ``h w 4`` (channels last), a torch tensor (channels first
            or last; first wins where both fit), or a PIL image (EXIF rotation is left to the caller). Samples:
            ``uint8``; ``uint16`` (the upper 8 bits are kept); ``bool``; floats from 0 to 1. Alpha is dropped.

    Raises:
        ValueError: The shape, type or range is another one, a side is 0, or a float is NaN or infinite.
    """
    if isinstance(value, (str, os.PathLike)):
        raise ValueError(f"got the path {os.fspath(value)!r}: read it with masklet.video.images.read_image")
    if hasattr(value, "convert") and hasattr(value, "mode"):  # a PIL image, without importing PIL
        value = np.asarray(value if value.mode.startswith("I;16") else value.convert("RGB"))
    channels_first = False
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor
        channels_first = value.ndim == 3 and value.shape[0] in (1, 3, 4)
        value = value.detach().cpu().numpy()
    image = np.asarray(value)
    if channels_first:
        image = image.transpose(1, 2, 0)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        hint = (
            "; move the channels last with .transpose(1, 2, 0)" if image.ndim == 3 and image.shape[0] in (1, 3) else ""
        )
        raise ValueError(f"Expected an image (height, width[, 1, 3 or 4]), got an array of shape {image.shape}{hint}.")
    if image.size == 0:
        raise ValueError(f"The image has no pixels: its shape is {image.shape}.")
    image = _to_uint8(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[..., :3])


def _decode(data: bytes, flags: int, name: str) -> np.ndarray | None:
    if data.startswith(b"\x89PNG") and b"IEND" not in data:  # cut off: libpng would say so on standard error
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f"{name} cannot be decoded as an image: {error}") from error


def _turned(image: UInt8[np.ndarray, "h w 3"], orientation: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The image upright: ``orientation`` is the number that EXIF gives to the stored image, 1 to 8."""
    if orientation > 4:
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _to_uint8(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype == np.bool_:
        return image.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(image.dtype, np.floating):
        low, high = float(image.min()), float(image.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError("The image holds NaN or infinite values: expected floats from 0 to 1.")
        if low < 0 or high > 1:
            raise ValueError(
                f"A float image is expected from 0 to 1, got {low:g} to {high:g}: divide it by its maximum range."
            )
        return np.rint(image.astype(np.float32) * 255).astype(np.uint8)
    raise ValueError(
        f"Expected an image of uint8, uint16, bool or float from 0 to 1, got {image.dtype}: convert it to uint8."
    )


def _check_pixels(size: tuple[int, ...], name: str, max_pixels: int) -> None:
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"{name} states a size of {width}x{height} pixels: its header is damaged.")
    if height * width > max_pixels:
        raise ValueError(
            f"{name} has {width}x{height} = {height * width:,} pixels, the limit is {max_pixels:,}: "
            "pass a larger max_pixels (--max-pixels) if memory allows, or scale it down."
        )
