from __future__ import annotations

import numpy as np
import pytest

from masklet.video.frames import FrameSource, open_source
from masklet.video.windows import Window, WindowReader

FRAME = 100, 200


def test_is_around_the_box_with_the_aspect_of_the_frame():
    window = Window.around((90, 40, 110, 60), FRAME, times=2.0, least=0.1)
    assert window.share == 0.4  # twice the height of the box, which is the larger share
    assert window.box == (60, 30, 140, 70)
    assert window.holds((60, 30, 140, 70))
    assert not window.holds((59, 30, 140, 70))


@pytest.mark.parametrize(("box", "share"), [((0, 0, 2, 2), 0.3), ((0, 0, 150, 50), 1.0)])
def test_is_neither_too_small_nor_larger_than_the_frame(box: tuple[int, int, int, int], share: float):
    window = Window.around(box, FRAME, times=2.0, least=0.3)
    assert window.share == share
    assert window.box[:2] == (0, 0)


@pytest.mark.parametrize(
    ("center", "corner"), [((0.0, 0.0), (0, 0)), ((200.0, 100.0), (100, 50)), ((100.0, 50.0), (50, 25))]
)
def test_ends_at_the_edges(center: tuple[float, float], corner: tuple[int, int]):
    box = Window(FRAME, 0.5, center).box
    assert box == (*corner, corner[0] + 100, corner[1] + 50)


def test_moves_at_once_and_changes_its_size_seldom():
    window = Window(FRAME, 0.5, (100.0, 50.0))
    assert window.moved(Window(FRAME, 0.45, (60.0, 40.0))) == Window(FRAME, 0.5, (60.0, 40.0))
    assert window.moved(Window(FRAME, 0.3, (60.0, 40.0))) == Window(FRAME, 0.3, (60.0, 40.0))
    lost = window.moved(None)
    assert lost.center == window.center
    assert lost.share > window.share
    for _ in range(5):
        lost = lost.moved(None)
    assert lost.box == (0, 0, 200, 100)


def test_a_frame_keeps_its_window():
    frames = [np.full((*FRAME, 3), 10 * t, np.uint8) for t in range(3)]
    for frame in frames:
        frame[40:60, 90:110] = 255
    reader = WindowReader(open_source(frames), (20, 40), Window(FRAME, 0.2, (100.0, 50.0)))
    source = FrameSource(reader)
    assert (source.length, source.size) == (3, (20, 40))
    near = source.frame(0)
    assert (near[:, 10:30] == 255).all()
    assert (near[:, :9] == 0).all()
    reader.window = Window(FRAME, 1.0, (100.0, 50.0))
    assert source.frame(1).mean() < near.mean()
    assert reader.seen(0).share == 0.2
    assert np.array_equal(reader.read(0), near)


def test_seen_whole_and_at_its_own_size_a_frame_is_itself():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (*FRAME, 3), dtype=np.uint8)
    reader = WindowReader(open_source([frame]), FRAME, Window(FRAME))
    assert np.array_equal(reader.read(0), frame)
