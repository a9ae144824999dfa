"""Label maps as PNG files: the numbers of the pixels, never the colours of a palette."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8, UInt16
from numpy import ndarray

if TYPE_CHECKING:
    from collections.abc import Iterator


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _INDEXED = 0, 3
_COLOUR_NAMES = {2: "RGB colour", 4: "grey with alpha", 6: "RGBA colour"}


def read_label_png(
    source: str | os.PathLike[str] | bytes, name: str | None = None
) -> UInt8[ndarray, "h w"] | UInt16[ndarray, "h w"]:
    """Read the label of every pixel from an indexed or grey PNG.

    Args:
        source: A path, or the bytes of a PNG file.
        name: What errors call bytes that are given.

    Returns:
        The palette index (indexed files) or the stored grey value; uint16 for 16-bit grey files, else uint8.

    Raises:
        ValueError: The data is no PNG, is damaged or cut short, or holds colours instead of labels.
        OSError: The path cannot be read.
    """
    import cv2

    name = (name or "the given bytes") if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    chunks = list(_chunks(data, name))
    header = next((body for kind, body in chunks if kind == b"IHDR"), b"")
    if len(header) != 13:
        raise ValueError(f"{name} is a damaged PNG: its header chunk is missing or has the wrong length")
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", header)
    if colour not in (_GREY, _INDEXED):
        got = _COLOUR_NAMES.get(colour, f"colour type {colour}")
        raise ValueError(f"{name} stores {got}, expected labels: save the mask as an indexed or grey PNG")
    # The same pixels declared grey: the decoder then hands out the stored numbers instead of looking up colours.
    grey = _SIGNATURE + _chunk(b"IHDR", header[:9] + bytes([_GREY]) + header[10:])
    grey += b"".join(_chunk(kind, body) for kind, body in chunks if kind == b"IDAT") + _chunk(b"IEND", b"")
    try:
        labels = cv2.imdecode(np.frombuffer(grey, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"{name} is a PNG of {width}x{height} pixels that cannot be decoded: {error}") from error
    if labels is None or labels.shape != (height, width):
        raise ValueError(f"{name} is a damaged PNG: its {width}x{height} pixels cannot be decoded")
    if depth < 8:
        labels //= 255 // (2**depth - 1)  # the decoder spreads 1, 2 and 4-bit greys over 0..255
    return labels


def write_label_png(path: str | os.PathLike[str], labels: ndarray, palette: ndarray | None = None) -> None:
    """Write a label map as an 8-bit indexed PNG, or a grey one where no palette is given.

    Args:
        path: The file to write.
        labels: Whole numbers in 0..255 (and below the length of the palette).
        palette: One RGB colour for each label, at most 256.

    Raises:
        ValueError: The map is not two-dimensional, is empty, or has labels that the file cannot hold.
    """
    Path(path).write_bytes(encode_label_png(labels, palette))


def encode_label_png(labels: ndarray, palette: ndarray | None = None) -> bytes:
    """Encode a label map as the bytes of an 8-bit PNG; arguments and errors as for `write_label_png`."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.size == 0:
        raise ValueError(f"labels have shape {labels.shape}, expected (height, width) with at least one pixel")
    if labels.dtype.kind not in "bui":
        raise ValueError(f"labels have type {labels.dtype}, expected whole numbers: convert them first")
    limit = 256 if palette is None else len(palette)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= limit:
        raise ValueError(f"labels span {low}..{high}, expected 0..{limit - 1}: renumber them or give a larger palette")
    pixels = labels.astype(np.uint8)
    height, width = pixels.shape
    rows = np.empty((height, width + 1), np.uint8)
    rows[:, 0] = 2  # filter "up": equal rows of a label map become zeros
    rows[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=rows[1:, 1:])
    colour = _GREY if palette is None else _INDEXED
    parts = [_SIGNATURE, _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))]
    if palette is not None:
        colours = np.asarray(palette)
        if colours.dtype != np.uint8 or colours.ndim != 2 or colours.shape[1] != 3 or len(colours) > 256:
            raise ValueError(f"palette is {colours.dtype} {colours.shape}, expected uint8 (n, 3) with n at most 256")
        parts.append(_chunk(b"PLTE", colours.tobytes()))
    parts += [_chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(_SIGNATURE):
        raise ValueError(f"{name} is not a PNG file: it starts with {data[:8]!r}")
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        body = data[position + 8 : end - 4]
        if zlib.crc32(body, zlib.crc32(kind)) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ValueError(f"{name} is a damaged PNG: the checksum of its {kind!r} chunk is wrong")
        yield kind, body
        if kind == b"IEND":
            return
        position = end
    raise ValueError(f"{name} is a PNG cut short at byte {len(data)}: copy or write the file again")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
