from __future__ import annotations

import io
import itertools
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from masklet.video import movie
from masklet.video.frames import open_source
from masklet.video.movie import MovieReader
from masklet.video.reader import FrameUnreadable

CODINGS = {
    "mp4 with B-frames": {"name": "a.mp4", "options": {"g": "12", "bf": "3"}},
    "mp4 with open groups": {"name": "a.mp4", "options": {"x264-params": "keyint=10:bframes=3:open-gop=1"}},
    "mov": {"name": "a.mov", "options": {"g": "7"}},
    "mkv": {"name": "a.mkv", "options": {"g": "7", "bf": "2"}},
    "mpegts": {"name": "a.ts", "options": {"g": "9", "bf": "2"}},
    "avi": {"name": "a.avi", "codec": "mpeg4", "options": {"g": "5"}},
    "avi with B-frames": {"name": "a.avi", "codec": "mpeg4", "options": {"g": "8", "bf": "2"}},
    "avi with reordered H.264": {"name": "a.avi", "options": {"g": "12"}},
    "avi with H.264 in order": {"name": "a.avi", "options": {"g": "7", "bf": "0"}},
    "avi whose clock repeats times": {
        "name": "a.avi",
        "codec": "mpeg4",
        "options": {"bf": "2"},
        "times": range(0, 3000, 100),
    },
    "bare H.264 without any times": {"name": "a.h264", "options": {"g": "7", "bf": "2"}},
    "webm": {"name": "a.webm", "codec": "libvpx-vp9", "options": {"deadline": "realtime", "g": "8"}},
    "gif": {"name": "a.gif", "codec": "gif", "pixel_format": "rgb8"},
    "key frame only at the start": {"name": "a.mp4", "options": {"g": "1000", "bf": "0"}},
}


@pytest.mark.parametrize("coding", CODINGS)
def test_every_frame_has_its_number_in_order_and_at_random(make_movie, coding, number_of):
    path = make_movie(count=30, **CODINGS[coding])
    with open_source(path) as source:
        assert source.length == 30
        assert source.size == (64, 96)
        if coding != "gif":  # eight-bit colours are too coarse for numbers
            assert [number_of(image) for image in source] == list(range(30))
        in_order = [image.copy() for image in source]
    with open_source(path) as source:
        for index in [*np.random.default_rng(0).integers(0, 30, 60).tolist(), 29, 0, 28, 1]:
            np.testing.assert_array_equal(source.frame(index), in_order[index], err_msg=f"frame {index}")


def test_reading_in_order_never_seeks(make_movie, monkeypatch, number_of):
    source = open_source(make_movie(options={"g": "5"}))
    monkeypatch.setattr(MovieReader, "_seek", lambda *_: pytest.fail("sought"))
    monkeypatch.setattr(MovieReader, "_rewind", lambda *_: pytest.fail("rewound"))
    assert [number_of(image) for image in source] == list(range(30))


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """Times of all frames that movies decode."""
    decode, times = MovieReader._decode, []

    def noted(self: MovieReader):
        for frame in decode(self):
            times.append(frame.pts)
            yield frame

    monkeypatch.setattr(MovieReader, "_decode", noted)
    return times


@pytest.mark.parametrize("coding", ["mp4", "avi"])  # an AVI of H.264 has no times, so that it cannot be sought in
@pytest.mark.parametrize("bound", ["frames", "bytes"])
def test_reading_backward_decodes_a_group_a_few_times(make_movie, number_of, decoded, monkeypatch, coding, bound):
    if bound == "frames":
        monkeypatch.setattr(movie, "_KEPT_FRAMES", 10)
    else:
        monkeypatch.setattr(movie, "_KEPT_BYTES", 10 * 64 * 96 * 3 // 2 + 5000)
    path = make_movie(f"a.{coding}", count=40, options={"g": "1000"})
    with open_source(path) as source:
        in_order = [image.copy() for image in source]
    reader = MovieReader(path, max_pixels=10**9)
    decoded.clear()
    for index in reversed(range(40)):
        np.testing.assert_array_equal(reader.read(index), in_order[index], err_msg=f"frame {index}")
        assert number_of(in_order[index]) == index
        assert len(reader._kept) <= 10
    assert len(decoded) < 5 * 40  # 20 * 40 if none were kept


def test_what_was_kept_is_right_when_reading_turns_round(make_movie, number_of):
    with open_source(make_movie(options={"x264-params": "keyint=10:bframes=3:open-gop=1"})) as source:
        walk = [29, 28, 27, 12, 11, 10, 9, 10, 11, 12, 13, 14, 8, 7, 25, 24, 26, 27, 5, 6, 4, 20, 19, 18, 0, 1]
        reader = source._reader
        assert [number_of(reader.read(index)) for index in walk] == walk


def test_going_forward_keeps_nothing(make_movie):
    reader = MovieReader(make_movie(options={"g": "5"}), max_pixels=10**9)
    for index in [*range(0, 30, 2)]:
        reader.read(index)
    assert not reader._kept


def test_recent_frames_are_not_decoded_again(make_movie, monkeypatch):
    source = open_source(make_movie())
    frames = [source.frame(index) for index in range(8)]
    monkeypatch.setattr(MovieReader, "read", lambda *_: pytest.fail("decoded again"))
    assert all(source.frame(index) is frames[index] for index in range(8))


def test_a_variable_rate_is_numbered_by_presentation(make_movie, number_of):
    times = np.cumsum(np.random.default_rng(1).integers(5, 400, 30)).tolist()
    path = make_movie(times=times, options={"bf": "3", "g": "10"})
    with av.open(str(path)) as container:
        shown = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert len({round(float(b - a), 3) for a, b in itertools.pairwise(shown)}) > 10, "the movie is not variable"
    with open_source(path) as source:
        assert [number_of(source.frame(t)) for t in (17, 3, 29, 0, 16, 11)] == [17, 3, 29, 0, 16, 11]
        assert source.length == 30
        assert source.fps == pytest.approx(29 / ((times[-1] - times[0]) / 1000), rel=1e-3)


@pytest.mark.parametrize(
    ("matrix", "turn"),
    {
        "none": ((1, 0, 0, 1), lambda image: image),
        "clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        "half": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        "counter-clockwise": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    }.values(),
)
def test_rotation_is_applied(make_movie, matrix, turn, set_display_matrix):
    path = make_movie()
    with open_source(path) as source:
        stored = source.frame(5).copy()
    set_display_matrix(path, *matrix)
    with open_source(path) as source:
        np.testing.assert_array_equal(source.frame(5), turn(stored))
        assert source.size == turn(stored).shape[:2]


def test_a_movie_turned_clockwise_shows_its_first_corner_at_the_top_right(make_movie, set_display_matrix):
    path = make_movie()
    set_display_matrix(path, 0, 1, -1, 0)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation == -90  # PyAV counts counter-clockwise
    with open_source(path) as source:
        image = source.frame(0)
    assert source.size == (96, 64)
    assert image[3, -3].min() > 240
    assert image[3, 3].max() < 40


def test_zero_length(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(ValueError, match=r"a\.mp4 is empty"):
        open_source(tmp_path / "a.mp4")


def test_not_a_movie(tmp_path):
    (tmp_path / "a.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ValueError, match=r"a\.mp4 cannot be opened as a movie"):
        open_source(tmp_path / "a.mp4")
    (tmp_path / "notes.txt").write_text("hello\n" * 100)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        open_source(tmp_path / "notes.txt")


def test_sound_only(make_audio):
    with pytest.raises(ValueError, match="no video stream, only audio"):
        open_source(make_audio())


def test_cut_off_before_the_index(make_movie):
    path = make_movie()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # an MP4 written plainly has its index at the end
    with pytest.raises(ValueError, match="cannot be opened as a movie"):
        open_source(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_cut_off_in_the_pictures(make_movie, name, number_of):
    container = {"movflags": "faststart"} if name == "a.mp4" else None
    path = make_movie(name, count=30, options={"g": "6"}, container=container)
    with av.open(str(path)) as whole:
        starts = [packet.pos for packet in whole.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: starts[20] - 2])
    with open_source(path) as source:
        assert 15 < source.length < 25
        for index in range(source.length - 3):
            assert number_of(source.frame(index)) == index
        with pytest.raises(IndexError, match=rf"0 to {source.length - 1}"):
            source.frame(source.length)


def test_a_frame_that_cannot_be_decoded_is_named_and_the_rest_stays_readable(make_movie, number_of, caplog):
    path = make_movie(options={"g": "1", "bf": "0"})  # every frame by itself
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    position, length = packets[12]
    data[position : position + length] = b"\0" * length
    path.write_bytes(bytes(data))
    with open_source(path) as source:
        with pytest.raises(FrameUnreadable, match=r"Frame 12 of .*movie\.mp4 cannot be decoded"):
            source.frame(12)
        assert [number_of(source.frame(t)) for t in (11, 13, 29, 0)] == [11, 13, 29, 0]
    (warning,) = caplog.messages
    assert "has a packet at time" in warning


def test_no_frame_can_be_decoded(make_movie):
    path = make_movie(options={"g": "1"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                data[packet.pos : packet.pos + packet.size] = b"\0" * packet.size
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="no frame that can be decoded"):
        open_source(path)


def test_no_permission(make_movie, monkeypatch):
    path = make_movie()

    def refuse(self: Path, *_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"No permission to read the video.*movie\.mp4"):
        open_source(path)


def test_huge_frames_are_refused_unless_allowed(make_movie):
    path = make_movie()
    with pytest.raises(ValueError, match=r"96x64 = 6,144 pixels, the limit is 6,143"):
        open_source(path, max_pixels=6143)
    open_source(path, max_pixels=6144).close()


def test_threads_share_a_source(make_movie, number_of):
    source = open_source(make_movie(options={"g": "10"}))
    wrong: list[int] = []

    def read(seed: int) -> None:
        for index in np.random.default_rng(seed).integers(0, 30, 20).tolist():
            if number_of(source.frame(index)) != index:
                wrong.append(index)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Elsewhere:
    """A movie that is no local file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self, mode: str, /) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self.data)

    def __str__(self) -> str:
        return "s3://bucket/a.mp4"


def test_a_movie_that_is_no_local_file(make_movie, number_of):
    reader = MovieReader(Elsewhere(make_movie(count=20, options={"g": "6"}).read_bytes()), max_pixels=10**6)
    assert (reader.name, reader.files, reader.length) == ("s3://bucket/a.mp4", (), 20)
    assert [number_of(reader.read(t)) for t in (0, 17, 3, 4, 19)] == [0, 17, 3, 4, 19]
    reader.close()
    with pytest.raises(ValueError, match=r"s3://bucket/a\.mp4 is empty"):
        MovieReader(Elsewhere(b""), max_pixels=10**6)


def test_side_data_is_looked_at_once(make_movie, monkeypatch):
    looked = []
    original = movie._display_matrix
    monkeypatch.setattr(movie, "_display_matrix", lambda frame: looked.append(frame.pts) or original(frame))
    with open_source(make_movie()) as source:
        for t in range(len(source)):
            source.frame(t)
    assert len(looked) == 1  # frames whose side data was looked at stay in memory for long


def test_reading_on_lets_go_of_frames_kept_for_going_back(make_movie):
    reader = MovieReader(make_movie(), max_pixels=10**6)
    for t in (0, 12, 6):
        reader.read(t)
    assert reader._kept
    reader.read(13)
    assert not reader._kept
    reader.close()
