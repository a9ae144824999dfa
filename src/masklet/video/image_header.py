"""What the header of an image says: its size, so that a huge one is refused before it is decoded, and its rotation."""

from __future__ import annotations

import struct

TIFF_STARTS = (b"II*\0", b"MM\0*")
_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274  # tags of TIFF, and of EXIF, which is TIFF
_JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})


def image_size(data: bytes) -> tuple[int, int] | None:
    """Height and width stated by a PNG, JPEG, GIF, BMP, WebP or TIFF header, before any rotation.

    None when the format is another one or the header is cut off: only decoding can tell.
    """
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack_from(">II", data, 16)
        elif data[:2] == b"\xff\xd8":
            return _jpeg_size(data)
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack_from("<HH", data, 6)
        elif data[:2] == b"BM":
            width, height = struct.unpack_from("<ii", data, 18)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
        elif data[:4] in TIFF_STARTS:
            return _tiff_size(data)
        else:
            return None
    except struct.error:
        return None
    return abs(height), abs(width)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    position = 2
    while position < len(data):
        if data[position] != 0xFF:
            return None
        marker = struct.unpack_from(">B", data, position + 1)[0]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _JPEG_BARE_MARKERS:
            position += 2
        elif marker in _JPEG_SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return height, width
        else:
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
        return (low_h | high_h << 16) + 1, (low_w | high_w << 16) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    found = _tiff_numbers(data)
    return (found[_HEIGHT], found[_WIDTH]) if _HEIGHT in found and _WIDTH in found else None


def webp_orientation(data: bytes) -> int | None:
    """EXIF orientation of a WebP file, 1 to 8 (1: upright); None when it states none or is no WebP file."""
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X":
        return None
    position = 12
    try:
        while position + 8 <= len(data):
            kind, length = struct.unpack_from("<4sI", data, position)
            if kind == b"EXIF":
                content = data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0")
                turn = _tiff_numbers(content).get(_ORIENTATION) if content[:4] in TIFF_STARTS else None
                return turn if turn in range(1, 9) else None
            position += 8 + length + length % 2
    except struct.error:
        return None
    return None


def _tiff_numbers(data: bytes) -> dict[int, int]:
    """Whole numbers of 16 or 32 bits in the first directory of a TIFF file, by tag."""
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    found: dict[int, int] = {}
    for entry in range(struct.unpack_from(order + "H", data, start)[0]):
        position = start + 2 + 12 * entry
        tag, kind = struct.unpack_from(order + "HH", data, position)
        if kind in (3, 4):
            found[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, position + 8)[0]
    return found
