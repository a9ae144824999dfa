from __future__ import annotations

import numpy as np
import pytest

from masklet.cli.frame_range import FrameRange, frame_range
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from tiny_model import DISC, clip

LENGTH = 10


@pytest.mark.parametrize(
    ("prompted", "start", "stop", "direction", "frames"),
    [
        ([3], None, None, "both", [3, 4, 5, 6, 7, 8, 9, 2, 1, 0]),
        ([3], None, None, "forward", [3, 4, 5, 6, 7, 8, 9]),
        ([3], None, None, "backward", [3, 2, 1, 0]),
        ([0], None, None, "both", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([0], 0, 0, "both", [0]),
        ([0], None, None, "backward", [0]),
        ([5], 5, 7, "both", [5, 6, 7]),
        ([6], 5, 7, "both", [6, 7, 5]),
        ([7], 5, 7, "both", [7, 6, 5]),
        ([6, 7], 5, 7, "forward", [6, 7]),
        ([6, 7], 5, 7, "backward", [6, 5]),
        ([1, 6, 9], 5, 7, "both", [6, 7, 5]),
        ([1, 3], 5, 7, "both", [5, 6, 7]),
        ([1, 3, 9], 5, 7, "forward", [5, 6, 7]),
        ([1, 8, 9], 5, 7, "backward", [7, 6, 5]),
        ([8, 9], 5, 7, "both", [7, 6, 5]),
        ([1, 9], 5, 7, "both", [5, 6, 7]),
        ([9], 4, None, "both", [9, 8, 7, 6, 5, 4]),
    ],
)
def test_exactly_the_range_is_tracked(
    tiny: Sam2, prompted: list[int], start: int | None, stop: int | None, direction, frames: list[int]
):
    wanted = frame_range(prompted, start, stop, direction, LENGTH)
    assert wanted.count(LENGTH) == len(frames)
    assert wanted.count(None) == (None if stop is None else len(frames))
    assert wanted.backward or frames == sorted(frames)
    session = VideoSession(clip(LENGTH), tiny)
    for t in prompted:
        session.prompt(t, 1, points=[DISC], labels=[1])
    assert [result.frame for result in wanted.track(session)] == frames


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_the_masks_are_those_of_one_run_of_the_session(tiny: Sam2, direction):
    def session() -> VideoSession:
        session = VideoSession(clip(LENGTH), tiny)
        session.prompt(4, 1, points=[DISC], labels=[1])
        session.prompt(6, 2, box=(46, 24, 62, 40))
        return session

    expected = list(session().propagate(direction=direction))
    found = list(frame_range([4, 6], None, None, direction, LENGTH).track(session()))
    assert [r.frame for r in found] == [r.frame for r in expected]
    for a, b in zip(found, expected, strict=True):
        for i in (1, 2):
            np.testing.assert_array_equal(a[i].logits, b[i].logits)
    part = {r.frame: r for r in frame_range([4, 6], 7, 8, "both", LENGTH).track(session())}
    alone = {r.frame: r for r in session().propagate(start=6)}
    assert sorted(part) == [7, 8]
    np.testing.assert_array_equal(part[8][1].logits, alone[8][1].logits)


@pytest.mark.parametrize(
    ("prompted", "start", "stop", "direction", "error", "message"),
    [
        ([0], 10, None, "both", IndexError, r"--start 10 is outside the video: its frames are 0\.\.9"),
        ([0], None, 10, "both", IndexError, "--stop 10 is outside the video"),
        ([0], -1, None, "both", IndexError, "--start -1 is outside the video"),
        ([0], 5, 2, "both", ValueError, "--stop 2 lies before --start 5"),
        ([8], 5, 7, "forward", ValueError, r"from frame 5 to 7 cannot be reached going forward .* \[8\]"),
        ([1, 2], 5, None, "backward", ValueError, r"from frame 5 to the end cannot be reached going backward"),
    ],
)
def test_ranges_that_cannot_be(prompted, start, stop, direction, error, message: str):
    with pytest.raises(error, match=message):
        frame_range(prompted, start, stop, direction, LENGTH)


def test_a_stream_has_no_known_end():
    assert frame_range([0], 99, None, "both", None) == FrameRange(99, None, 0, True, False)
    with pytest.raises(IndexError, match="its frames are 0 on"):
        frame_range([0], -1, None, "both", None)
