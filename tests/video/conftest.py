"""Movies made for the tests: every frame shows its own number as a grey level, so that a wrong frame is seen."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import jaxtyping
import numpy as np
import pytest

STEP = 6  # grey levels between neighbouring frames: more than any codec here is off by


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    """A frame of one grey level, with a white block in the top-left and a red one in the bottom-right corner."""
    image = np.full((*size, 3), number * STEP % 240, dtype=np.uint8)
    block = size[0] // 4, size[1] // 4
    image[: block[0], : block[1]] = 255
    image[-block[0] :, -block[1] :] = (255, 0, 0)
    return image


def _number_of(image: np.ndarray) -> int:
    """The number that ``picture`` painted into a frame."""
    height, width = image.shape[:2]
    return round(float(image[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2].mean()) / STEP)


@pytest.fixture
def make_movie(tmp_path: Path) -> Callable[..., Path]:
    """Write a movie of ``count`` numbered frames; ``times`` (in 1/1000 s) gives it a variable rate."""

    def make(
        name: str = "movie.mp4",
        count: int = 30,
        size: tuple[int, int] = (64, 96),
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        options: dict[str, str] | None = None,
        container: dict[str, str] | None = None,
        times: Sequence[int] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=container or {}) as output:
            stream = output.add_stream(codec, rate=Fraction(10), options=options or {})
            stream.height, stream.width, stream.pix_fmt = size[0], size[1], pixel_format
            stream.bit_rate = 2_000_000
            unit = Fraction(1, 10) if times is None else Fraction(1, 1000)
            stream.codec_context.time_base = unit
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
                frame.pts = number if times is None else times[number]
                frame.time_base = unit
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def make_audio(tmp_path: Path) -> Callable[[], Path]:
    """Write a file that has sound only."""

    def make() -> Path:
        path = tmp_path / "sound.mp4"
        with av.open(str(path), "w") as output:
            stream = output.add_stream("aac", rate=16000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16000
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return make


def _set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Overwrite the matrix in the track header of an MP4: x' = a x + c y and y' = b x + d y."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd") + 4
    assert data[header] == 0, "expected version 0 of the track header"
    one = 1 << 16
    struct.pack_into(">9i", data, header + 40, a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


@pytest.fixture
def number_of() -> Callable[[np.ndarray], int]:
    """The number that was painted into a frame."""
    return _number_of


@pytest.fixture
def set_display_matrix() -> Callable[..., None]:
    """Turn or mirror an MP4 by its track header."""
    return _set_display_matrix


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the checks of annotated shapes off: a user meets the package's own errors."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
