from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from masklet.video.frames import FrameSource, open_source
from masklet.video.reader import EndOfStream, FrameUnreadable


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 10, 14, 3), dtype=np.uint8)


def test_arrays_tensors_lists_and_images_are_the_same_video(frames):
    Image = pytest.importorskip("PIL.Image")
    kinds = {
        "array": frames,
        "tensor": torch.from_numpy(frames),
        "channels first": torch.from_numpy(frames).permute(0, 3, 1, 2),
        "list": list(frames),
        "tuple": tuple(frames),
        "floats": frames / 255.0,
        "pictures": [Image.fromarray(frame) for frame in frames],
    }
    for kind, value in kinds.items():
        with open_source(value) as source:
            assert (len(source), source.length, source.size, source.fps) == (6, 6, (10, 14), None), kind
            np.testing.assert_array_equal(source.frame(np.int64(4)), frames[4], err_msg=kind)
            np.testing.assert_array_equal(np.stack(list(source)), frames, err_msg=kind)


def test_frames_are_read_only_and_the_callers_array_is_not(frames):
    image = open_source(frames).frame(2)
    assert not image.flags.writeable
    assert frames.flags.writeable


def test_indices_out_of_range(frames):
    source = open_source(frames)
    for index in (6, -1, 100):
        with pytest.raises(IndexError, match=rf"Frame {index} does not exist: .* has 6 frames, 0 to 5"):
            source.frame(index)


@pytest.mark.usefixtures("as_user")
def test_an_index_that_is_no_number(frames):
    with pytest.raises(TypeError, match=r"whole number, got 1\.5"):
        open_source(frames).frame(1.5)


def test_a_closed_source_says_so(frames):
    source = open_source(frames)
    source.close()
    source.close()
    with pytest.raises(ValueError, match="closed"):
        source.frame(0)


def test_only_a_few_frames_are_kept():
    class Reader:
        name, size, length, fps, files, times = "many", (4, 4), 1000, None, (), None
        reads = 0

        def read(self, index: int) -> np.ndarray:
            Reader.reads += 1
            return np.full((4, 4, 3), index % 256, dtype=np.uint8)

        def close(self) -> None: ...

    source = FrameSource(Reader(), cache=3)
    for index in (0, 1, 2, 0, 1, 2):
        source.frame(index)
    assert Reader.reads == 3
    source.frame(3)  # 0 is the oldest and goes
    source.frame(2)
    assert Reader.reads == 4
    source.frame(0)
    assert Reader.reads == 5


def test_a_frame_of_another_size_is_refused(frames):
    source = open_source([frames[0], frames[1][:5]])
    with pytest.raises(FrameUnreadable, match=r"Frame 1 .* has 14x5 pixels, the first frame has 14x10"):
        source.frame(1)
    np.testing.assert_array_equal(source.frame(0), frames[0])


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([], ValueError, "no frames"),
        (np.zeros((0, 4, 4, 3), dtype=np.uint8), ValueError, "no frames"),
        (np.zeros((4, 4, 3), dtype=np.uint8), ValueError, r"array\[None\]"),
        (iter([]), ValueError, "no frame at all"),
        ([np.full((4, 4, 3), np.nan)], ValueError, "Frame 0: .*NaN"),
        (None, ValueError, "None"),
        (True, ValueError, "True"),
        ("", ValueError, "give the path of a movie"),
        (3.5, ValueError, "float"),
        ("nowhere/film.mp4", FileNotFoundError, "nowhere/film.mp4"),
        ("https://example.org/film.mp4", ValueError, "download it first"),
    ],
)
def test_what_is_no_video(value, error, message):
    with pytest.raises(error, match=message):
        open_source(value)


def test_a_source_is_passed_through(frames):
    source = open_source(frames)
    assert open_source(source) is source


def test_a_source_knows_its_files(frames, tmp_path):
    import cv2

    paths = [tmp_path / f"{t}.png" for t in range(3)]
    for path in paths:
        cv2.imwrite(str(path), frames[0])
    for source, files in [
        (tmp_path, paths),
        (f"{tmp_path}/[12].png", paths[1:]),
        (paths[2], paths[2:]),
        (frames, []),
        (iter(frames), []),
    ]:
        with open_source(source) as opened:
            assert list(opened.files) == files


def test_an_iterator_runs_forward_only(frames):
    taken = []

    def camera():
        for index, frame in enumerate(frames):
            taken.append(index)
            yield frame

    source = open_source(camera())
    assert source.length is None
    assert source.size == (10, 14)
    assert taken == [0]
    with pytest.raises(TypeError, match="unknown length"):
        len(source)
    np.testing.assert_array_equal(source.frame(0), frames[0])
    np.testing.assert_array_equal(source.frame(3), frames[3])
    np.testing.assert_array_equal(source.frame(2), frames[2])
    assert taken == [0, 1, 2, 3], "frames were taken that nobody asked for"
    with pytest.raises(ValueError, match=r"Frame 1 .* has passed.*keeps frames 2 to 3"):
        source.frame(1)
    np.testing.assert_array_equal(source.frame(5), frames[5])
    with pytest.raises(EndOfStream, match="ended after 6 frames"):
        source.frame(6)
    assert source.length == len(source) == 6
    with pytest.raises(IndexError, match="0 to 5"):
        source.frame(6)


def test_iterating_over_a_stream_ends_with_it(frames):
    source = open_source(iter(frames))
    np.testing.assert_array_equal(np.stack(list(source)), frames)
    assert source.length == 6


def test_an_error_inside_a_generator_is_the_callers_own(frames):
    def broken():
        yield frames[0]
        raise IndexError("my own mistake")

    with pytest.raises(IndexError, match="my own mistake"):
        list(open_source(broken()))


def test_a_malformed_frame_of_a_stream_is_named(frames):
    with pytest.raises(ValueError, match=r"Frame 1 of the iterator of frames: .*int64"):
        list(open_source(iter([frames[0], frames[1].astype(np.int64)])))


def test_a_frame_is_read_ahead_on_another_thread(frames, tmp_path):
    cv2 = pytest.importorskip("cv2")
    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{t}.png"), frame[..., ::-1])
    with open_source(tmp_path) as source:
        read, threads = source._reader.read, []

        def noted(index: int) -> np.ndarray:
            threads.append((index, threading.current_thread() is threading.main_thread()))
            return read(index)

        source._reader.read = noted
        source.frame(0)
        source.prepare(1)
        source.prepare(1)
        assert source._ahead is not None
        source._ahead.result(5)
        np.testing.assert_array_equal(source.frame(1), frames[1])
        assert threads == [(0, True), (1, False)]
        for index in (-1, 6, 1):  # no such frames, and one that is there
            source.prepare(index)
        source._ahead.result(5)
        assert len(threads) == 2
        (tmp_path / "2.png").write_bytes(b"damaged")
        source.prepare(2)
        source._ahead.result(5)
        with pytest.raises(FrameUnreadable):
            source.frame(2)
    source.prepare(3)
    assert len(threads) == 4


def test_whoever_asks_for_a_frame_waits_for_what_is_made_of_it_ahead(frames, tmp_path):
    cv2 = pytest.importorskip("cv2")
    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{t}.png"), frame[..., ::-1])
    begun, made = threading.Event(), []

    def use(frame: np.ndarray) -> None:
        begun.set()
        time.sleep(0.05)
        made.append(frame)

    with open_source(tmp_path) as source:
        source.frame(0)
        source.prepare(1, use)
        assert begun.wait(5)
        frame = source.frame(1)
        assert made[0] is frame
        source.prepare(1, use)  # is there, and its owner makes what it needs
        assert len(made) == 1


def test_streams_and_arrays_are_not_read_ahead(frames):
    taken = []

    def stream():
        for t, frame in enumerate(frames):
            taken.append(t)
            yield frame

    for given in (stream(), frames):
        source = open_source(given)
        source.frame(1)
        source.prepare(2)
        assert source._ahead is None
    assert taken == [0, 1]


def test_what_was_asked_for_meanwhile_is_not_read_again(frames, tmp_path):
    cv2 = pytest.importorskip("cv2")
    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{t}.png"), frame[..., ::-1])
    with open_source(tmp_path) as source:
        source._capacity = 1
        source._awaited = 1  # as prepare(1) does, whose thread is late
        for t in (0, 1, 2):
            source.frame(t)
        read = []
        source._reader.read = lambda index: read.append(index) or frames[index]
        source._read_quietly(1)
        assert not read
