from __future__ import annotations

import errno
import os

import av
import numpy as np
import pytest

from masklet.video.frames import open_source
from masklet.video.overlay import overlay
from masklet.video.overlay_video import OverlayVideoWriter


def scene(index: int, size: tuple[int, int]) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    frame = np.full((*size, 3), 40 + 10 * index, dtype=np.uint8)
    mask = np.zeros(size, dtype=bool)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    return frame, {1: mask}


@pytest.mark.parametrize("size", [(48, 64), (49, 64), (48, 65), (51, 33), (1, 1)])
def test_the_video_shows_the_overlays_and_odd_sides_are_padded(tmp_path, size):
    path = tmp_path / "out" / "overlay.mp4"
    with OverlayVideoWriter(path, size, fps=12.5, labels=False) as writer:
        for index in range(5):
            frame, masks = scene(index, size)
            writer.add(2 * index, masks, frame=frame)
        assert not path.exists()
    assert os.listdir(path.parent) == ["overlay.mp4"]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 12.5
    with open_source(path) as source:
        assert source.length == 5
        assert source.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        for index in range(5):
            expected = overlay(*scene(index, size))
            shown = source.frame(index)[: size[0], : size[1]]
            assert np.abs(shown.astype(int) - expected).mean() < (8 if min(size) > 1 else 60)


@pytest.mark.parametrize(("fps", "rate"), [(None, 24), (30000 / 1001, 30000 / 1001), (0.5, 0.5)])
def test_frame_rates(tmp_path, fps, rate):
    with OverlayVideoWriter(tmp_path / "a.mp4", (32, 32), fps=fps) as writer:
        for index in range(4):
            frame, masks = scene(index, (32, 32))
            writer.add(index, masks, frame=frame)
    with open_source(tmp_path / "a.mp4") as source:
        assert source.fps == pytest.approx(rate, rel=1e-4)


def test_an_error_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    frame, masks = scene(0, (32, 32))

    def interrupted() -> None:
        with OverlayVideoWriter(path, (32, 32)) as writer:
            writer.add(0, masks, frame=frame)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_no_frame_is_no_video(tmp_path):
    with pytest.raises(ValueError, match="No frame was added"), OverlayVideoWriter(tmp_path / "a.mp4", (32, 32)):
        pass
    assert os.listdir(tmp_path) == []


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    frame, masks = scene(0, (32, 32))
    writer = OverlayVideoWriter(tmp_path / "a.mp4", (32, 32))
    writer.add(0, masks, frame=frame)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device.*a\.mp4"):
        writer.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_disk_that_is_really_full(tmp_path, monkeypatch):
    from masklet.video import encoded_video

    (tmp_path / "link").symlink_to("/dev/full")
    monkeypatch.setattr(encoded_video, "temporary_beside", lambda _: tmp_path / "link")
    frame, masks = scene(0, (32, 32))

    def write() -> None:
        with OverlayVideoWriter(tmp_path / "a.mp4", (32, 32)) as writer:
            for index in range(60):
                writer.add(index, masks, frame=frame)

    with pytest.raises(OSError, match=r"No space left on device.*a\.mp4") as caught:
        write()
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("as_user")
def test_wrong_input(tmp_path):
    frame, masks = scene(0, (32, 32))
    with OverlayVideoWriter(tmp_path / "a.mp4", (32, 32)) as writer:
        with pytest.raises(ValueError, match="frame=source"):
            writer.add(0, masks)
        with pytest.raises(ValueError, match=r"\(8, 32, 3\)"):
            writer.add(0, masks, frame=frame[:8])
        writer.add(5, masks, frame=frame)
        with pytest.raises(ValueError, match="Frame 4 comes after frame 5"):
            writer.add(4, masks, frame=frame)
    with pytest.raises(OSError, match=r"a\.mp4"):
        OverlayVideoWriter(tmp_path / "a.mp4" / "b.mp4", (32, 32))
