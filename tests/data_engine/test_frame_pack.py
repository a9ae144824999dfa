from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.data_engine.frame_pack import QUALITY, FramePack, new_pack
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from masklet.video.frames import FrameSource
from masklet.video.reader import FrameUnreadable
from tiny_model import DISC, clip


def jpeg(frame: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


@pytest.fixture
def path(frames: list[np.ndarray], tmp_path: Path) -> Path:
    with new_pack(tmp_path / "new" / "video.pack", 12.5) as writer:
        for frame in frames:
            writer.add(frame)
    return tmp_path / "new" / "video.pack"


def test_frames_are_what_was_written(path: Path, frames: list[np.ndarray]):
    pack = FramePack(path)
    assert (pack.length, pack.size, pack.fps, pack.files) == (10, (48, 72), 12.5, (path,))
    for t in (9, 0, 4):
        assert pack.jpeg(t) == jpeg(frames[t])
        decoded = cv2.imdecode(np.frombuffer(jpeg(frames[t]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.array_equal(pack.read(t), decoded)
    for t in (-1, 10):
        with pytest.raises(IndexError, match="the video has 10"):
            pack.jpeg(t)
    pack.close()
    with FrameSource(FramePack(path)) as source:
        assert len(source) == 10
        source.prepare(3)
        assert source.frame(3).shape == (48, 72, 3)


def test_a_saved_session_knows_its_pack(path: Path, tiny: Sam2, tmp_path: Path):
    with VideoSession(FrameSource(FramePack(path)), tiny, autosave=tmp_path / "session") as session:
        session.prompt(2, 1, points=[DISC])
    again = VideoSession.load(tmp_path / "session", FrameSource(FramePack(path)), tiny)
    assert again.objects == [1]
    with new_pack(tmp_path / "other.pack") as writer:
        for frame in clip(10)[::-1]:
            writer.add(frame)
    with pytest.raises(ValueError, match="another video"):
        VideoSession.load(tmp_path / "session", FrameSource(FramePack(tmp_path / "other.pack")), tiny)


def test_a_pack_is_complete_or_absent(path: Path, frames: list[np.ndarray], tmp_path: Path):
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), new_pack(path) as writer:  # noqa: PT012
        writer.add(frames[0])
        1 / 0  # noqa: B018
    with pytest.raises(ValueError, match="at least one frame"), new_pack(path):
        pass
    with pytest.raises(ValueError, match="frame 1 has 72x40 pixels, expected 72x48"), new_pack(path) as writer:  # noqa: PT012
        writer.add(frames[0])
        writer.add(frames[1][:40])
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("damage", [slice(0, -1), slice(0, 5000), slice(10, None), slice(0, 0)])
def test_what_is_no_pack_is_refused(path: Path, damage: slice):
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(ValueError, match="no frame pack, or was cut off"):
        FramePack(path)


def test_a_damaged_frame_is_told(path: Path):
    pack = FramePack(path)
    data = bytearray(path.read_bytes())
    start = len(pack.jpeg(0)) + 2
    data[start : start + 200] = bytes(200)
    path.write_bytes(data)  # in place: the pack has the same file open
    with pytest.raises(FrameUnreadable, match="frame 1 of"):
        pack.read(1)
    path.write_bytes(data[:100])
    with pytest.raises(FrameUnreadable, match="is cut off"):
        pack.read(5)
