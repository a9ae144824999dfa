from __future__ import annotations

import numpy as np
import pytest

from masklet.video.live import LiveFrames


def grey(value: int, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def test_frames_are_numbered_and_the_last_are_kept():
    live = LiveFrames(keep=3)
    assert [live.append(grey(t)) for t in range(5)] == [0, 1, 2, 3, 4]
    assert len(live) == live.length == 5
    assert live.size == (4, 6)
    assert [int(live.frame(t)[0, 0, 0]) for t in (2, 3, 4)] == [2, 3, 4]
    for gone in (1, 5, -1):
        with pytest.raises(IndexError, match=rf"live frame {gone} cannot be read: kept are frames \[2, 3, 4\]"):
            live.frame(gone)


def test_before_the_first_frame_there_is_no_size():
    live = LiveFrames()
    with pytest.raises(ValueError, match="no frame has come yet: call step"):
        _ = live.size
    with pytest.raises(IndexError, match="kept are frames none"):
        live.frame(0)


def test_a_frame_of_another_size_is_refused_and_not_counted():
    live = LiveFrames()
    live.append(grey(0))
    with pytest.raises(ValueError, match=r"frame 1 is \(6, 4\), expected \(4, 6\) as the first"):
        live.append(grey(1, (6, 4)))
    with pytest.raises(ValueError, match="Expected an image"):
        live.append(np.zeros(5))
    assert live.append(grey(2)) == 1
    assert int(live.frame(1)[0, 0, 0]) == 2


def test_a_camera_may_fill_the_same_array_again():
    live, buffer = LiveFrames(), grey(7)
    live.append(buffer)
    buffer[:] = 9
    assert int(live.frame(0)[0, 0, 0]) == 7


def test_grey_frames_become_rgb():
    live = LiveFrames()
    live.append(np.full((4, 6), 3, np.uint8))
    assert live.frame(0).shape == (4, 6, 3)


def test_close_forgets():
    live = LiveFrames()
    live.append(grey(1))
    live.close()
    with pytest.raises(IndexError):
        live.frame(0)
