"""Mask files of users: what their pixels mean as object ids, and how ours are written."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int32, UInt8

from ..masks.label_png import encode_label_png, read_label_png
from ..masks.palette import davis_palette
from .atomic import write_bytes
from .image_header import image_size
from .images import DEFAULT_MAX_PIXELS

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _INDEXED = 0, 3  # colour types of the PNG header
_HEADER_END = 33  # bytes of the signature and the header chunk
_TEXT = b"tEXtSoftware\0masklet"
_MARK = struct.pack(">I", len(_TEXT) - 4) + _TEXT + struct.pack(">I", zlib.crc32(_TEXT))


def read_mask_file(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Int32[np.ndarray, "h w"]:
    """Object id of each pixel of a mask image, 0 for the background.

    Indexed files give their indices. Grey files of 0 and the highest value (255) only are one object, number 1; other
    grey values are ids. In colour files, the colours of the DAVIS palette stand for their index, and white on black for
    object 1.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: The file may not be read.
        ValueError: It is no PNG, is damaged or too large, or its colours or grey values are no labels.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, "There is no such mask file", str(path)) from error
    except PermissionError as error:
        raise PermissionError(error.errno, "No permission to read the mask file", str(path)) from error
    return decode_mask(data, name=str(path), max_pixels=max_pixels)


def decode_mask(data: bytes, *, name: str = "mask", max_pixels: int = DEFAULT_MAX_PIXELS) -> Int32[np.ndarray, "h w"]:
    """Object ids in the bytes of a mask image as ``read_mask_file`` gives them; ``name`` is what errors call it.

    Raises:
        ValueError: As for ``read_mask_file``.
    """
    size = image_size(data)
    if data[:8] != _SIGNATURE or size is None:
        raise ValueError(f"{name} is no PNG file: label images are PNG, because JPEG and the like change the labels.")
    if size[0] * size[1] > max_pixels:
        raise ValueError(
            f"{name} has {size[1]}x{size[0]} pixels, the limit is {max_pixels:,}: pass a larger max_pixels "
            "(--max-pixels) if memory allows."
        )
    color_type = data[25]
    if color_type == _INDEXED:
        return read_label_png(data, name).astype(np.int32)
    if color_type == _GREY:
        return _grey_labels(read_label_png(data, name), name)
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{name} is damaged or cut off: expected a complete PNG file.")
    if (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        return _grey_labels(image[..., 0], name)
    return _color_labels(image, name)


def write_mask_file(path: Path, labels: UInt8[np.ndarray, "h w"]) -> None:
    """Write object ids as an indexed PNG in the DAVIS palette that names its software, complete or not at all.

    Raises:
        OSError: The file cannot be written; the message names it.
        ValueError: The labels have no pixels.
    """
    write_marked_png(path, encode_label_png(labels, davis_palette()))


def write_marked_png(path: Path, data: bytes) -> None:
    """Write the bytes of a PNG with its software's name among them, complete or not at all.

    Raises:
        OSError: The file cannot be written; the message names it.
    """
    write_bytes(path, data[:_HEADER_END] + _MARK + data[_HEADER_END:])


def is_written_mask(path: Path) -> bool:
    """Whether a file is one that ``write_marked_png`` wrote, now or earlier.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return file.read(_HEADER_END + len(_MARK)).endswith(_MARK)


def _grey_labels(image: np.ndarray, name: str) -> Int32[np.ndarray, "h w"]:
    values = np.unique(image)
    top = np.iinfo(image.dtype).max
    if values[-1] != top:
        return image.astype(np.int32)
    if len(values) > 1 + (values[0] == 0):
        raise ValueError(
            f"{name} mixes {top} with {len(values) - 1} other grey values: it looks like a soft mask. "
            f"Threshold it to 0 and {top} for one object, or store object ids as grey values below {top}."
        )
    return (image == top).astype(np.int32)


def _color_labels(image: np.ndarray, name: str) -> Int32[np.ndarray, "h w"]:
    if image.dtype != np.uint8:
        raise ValueError(f"{name} has 16-bit colours: label images have palette indices, grey ids or palette colours.")
    blue, green, red = (image[..., channel].astype(np.int32) for channel in range(3))
    code = (red << 16) | (green << 8) | blue
    palette = davis_palette().astype(np.int32)
    packed = (palette[:, 0] << 16) | (palette[:, 1] << 8) | palette[:, 2]
    label_of = {int(color): index for index, color in enumerate(packed)}
    colors, place = np.unique(code, return_inverse=True)
    unknown = [color for color in colors.tolist() if color not in label_of]
    if unknown:
        raise ValueError(
            f"{name} has {len(unknown)} colours that are not in the DAVIS palette, such as #{unknown[0]:06x}: "
            "save the mask as an indexed PNG, or as a grey one with object ids."
        )
    return np.array([label_of[color] for color in colors.tolist()], dtype=np.int32)[place.reshape(code.shape)]
