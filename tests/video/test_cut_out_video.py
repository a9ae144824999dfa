from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from masklet.video.cut_out_video import AlphaCodec, CutOutVideoWriter
from masklet.video.frames import open_source

SUFFIX: dict[AlphaCodec, str] = {"prores": "mov", "vp9": "webm"}


def scene(t: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture and a disc in it."""
    y, x = np.mgrid[: size[0], : size[1]]
    frame = np.stack([255 * x / size[1], 255 * y / size[0], 90 + 60 * np.sin((x + y + 4 * t) / 9)], axis=-1)
    return frame.astype(np.uint8), (x - 30 - 3 * t) ** 2 + (y - 30) ** 2 < 15**2


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    """Time and RGBA of each frame; FFmpeg's own decoder of VP9 leaves alpha out."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = stream.codec_context if path.suffix == ".mov" else av.CodecContext.create("libvpx-vp9", "r")
        for packet in container.demux(stream):
            for frame in decoder.decode(packet if packet.size else None):
                assert "yuva" in frame.format.name
                frames.append((float(frame.pts * stream.time_base), frame.to_ndarray(format="rgba")))
    return frames


@pytest.mark.parametrize("codec", ["prores", "vp9"])
@pytest.mark.parametrize("size", [(64, 96), (61, 97)])
def test_colours_and_alpha_come_back(tmp_path: Path, codec: AlphaCodec, size: tuple[int, int]):
    with CutOutVideoWriter(tmp_path / "out", size, codec, fps=12.5) as writer:
        for t in range(6):
            frame, mask = scene(t, size)
            writer.add(t, {1: mask} if t < 2 else {1: mask, 7: ~mask}, frame=frame)
        assert not list((tmp_path / "out").glob("0*"))
    assert sorted(os.listdir(tmp_path / "out")) == [f"001.{SUFFIX[codec]}", f"007.{SUFFIX[codec]}"]
    path = tmp_path / "out" / f"001.{SUFFIX[codec]}"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if codec == "prores":
            assert (stream.codec_context.codec_tag, stream.pix_fmt[:8]) == ("ap4h", "yuva444p")
            assert stream.codec_context.profile == "4444"
        else:
            assert (stream.codec_context.name, stream.metadata["alpha_mode"]) == ("vp9", "1")
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)  # BT.709, limited
        assert stream.average_rate == Fraction(25, 2)
    for i in (1, 7):
        frames = decoded(tmp_path / "out" / f"{i:03d}.{SUFFIX[codec]}")
        assert [time for time, _ in frames] == pytest.approx([t / 12.5 for t in range(6)], abs=5e-4)
        for t, (_, pixels) in enumerate(frames):
            frame, mask = scene(t, size)
            mask = mask if i == 1 else ~mask if t > 1 else np.zeros_like(mask)
            alpha = pixels[..., 3].astype(int)
            assert np.array_equal(alpha > 127, mask)
            assert np.abs(alpha - 255 * mask).mean() < (0.1 if codec == "prores" else 1.5)
            if mask.any():
                assert np.abs(pixels[mask][:, :3].astype(int) - frame[mask]).mean() < 3


@pytest.mark.parametrize("codec", ["prores", "vp9"])
def test_times_of_the_source_are_kept(tmp_path: Path, codec: AlphaCodec, make_movie: Callable[..., Path]):
    times = [0, 40, 73, 500, 533, 1001, 1034]
    with open_source(make_movie(count=7, times=times)) as source:
        assert source.times == tuple(Fraction(t, 1000) for t in times)
        with CutOutVideoWriter(tmp_path / "out", source.size, codec, fps=source.fps, times=source.times) as writer:
            for t in (1, 2, 3, 5, 6):
                writer.add(t, {1: np.ones(source.size, bool)}, frame=source.frame(t))
    frames = decoded(tmp_path / "out" / f"001.{SUFFIX[codec]}")
    assert [time for time, _ in frames] == [(times[t] - 40) / 1000 for t in (1, 2, 3, 5, 6)]


def test_sources_without_a_clock_have_no_times(tmp_path: Path):
    with open_source(np.zeros((2, 8, 8, 3), np.uint8)) as source:
        assert source.times is None
    with CutOutVideoWriter(tmp_path, (32, 32)) as writer:
        for t in range(2):
            writer.add(t, {1: np.ones((32, 32), bool)}, frame=np.zeros((32, 32, 3), np.uint8))
    assert decoded(tmp_path / "001.mov")[1][0] == pytest.approx(1 / 24)


def test_an_error_leaves_nothing(tmp_path: Path):
    def interrupted() -> None:
        with CutOutVideoWriter(tmp_path, (32, 32)) as writer:
            writer.add(0, {1: np.ones((32, 32), bool)}, frame=np.zeros((32, 32, 3), np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("as_user")
def test_wrong_input(tmp_path: Path):
    mask, frame = np.ones((32, 32), bool), np.zeros((32, 32, 3), np.uint8)
    with CutOutVideoWriter(tmp_path, (32, 32), times=[Fraction(0), Fraction(1)]) as writer:
        with pytest.raises(ValueError, match=r"frame=source\.frame"):
            writer.add(0, {1: mask})
        writer.add(1, {1: mask}, frame=frame)
        with pytest.raises(ValueError, match="Frame 0 comes after frame 1"):
            writer.add(0, {1: mask}, frame=frame)
        with pytest.raises(ValueError, match="Frame 2 has no time: got times of 2 frames"):
            writer.add(2, {1: mask}, frame=frame)


def test_over_a_checkerboard(tmp_path: Path):
    """No dark rim: what is laid over another picture is the object's own colours up to its edge."""
    size = (64, 96)
    frame, mask = scene(0, size)
    with CutOutVideoWriter(tmp_path, size) as writer:
        writer.add(0, {1: mask}, frame=frame)
    pixels = decoded(tmp_path / "001.mov")[0][1].astype(float)
    board = np.where((np.indices(size).sum(0) // 8 % 2)[..., None], 200.0, 240.0) * np.ones(3)
    alpha = pixels[..., 3:] / 255
    laid = pixels[..., :3] * alpha + board * (1 - alpha)
    assert np.abs(laid - np.where(mask[..., None], frame, board)).max() < 12
    if os.environ.get("SHOW"):
        cv2.imwrite(os.environ["SHOW"], np.kron(laid[..., ::-1].round().astype(np.uint8), np.ones((6, 6, 1), np.uint8)))
