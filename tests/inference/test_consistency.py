"""Masks that move with the picture are consistent, others are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from masklet.inference.consistency import consistency
from masklet.inference.results import FrameResult, ObjectResult
from masklet.inference.session import VideoSession
from masklet.inference.track import Note, ObjectTrack
from masklet.model.memory_bank import BankLimits, MemoryBank
from masklet.model.sam2 import Sam2
from masklet.video.frames import FrameSource, open_source
from tiny_model import DISC, clip, disc

SIZE = (96, 144)
pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture(scope="module")
def video() -> FrameSource:
    return open_source(clip(6, *SIZE))


def track(frames: range, *, reverse: bool = False) -> ObjectTrack:
    made = ObjectTrack(MemoryBank(BankLimits()))
    for t in frames:
        made.notes.put(t, Note({}, reverse, np.zeros(1, np.float16)))
    return made


def shows(masks: Callable[[int, int], np.ndarray]) -> Callable[[int], FrameResult]:
    """A disc, as masks of objects say, on every frame."""

    def shown(t: int) -> FrameResult:
        objects = {}
        for i in (1, 2):
            logits = torch.from_numpy(np.where(masks(t, i), 5.0, -5.0).astype(np.float32))
            objects[i] = ObjectResult(t, i, logits, 0.9, 5.0, SIZE)
        return FrameResult(t, SIZE, objects)

    return shown


def test_a_mask_that_follows_the_picture(video: FrameSource):
    good = shows(lambda t, i: disc(t, *SIZE))
    jumps = shows(lambda t, i: disc(t if t < 3 else t - 20, *SIZE))
    halved = shows(lambda t, i: disc(t, *SIZE) & (i == 2 or t < 3 or np.arange(SIZE[1]) % 2 == 0))
    one, two = {1: track(range(6))}, {1: track(range(6)), 2: track(range(6))}
    assert consistency(3, one, video, good)[1] > 0.85
    assert consistency(3, one, video, jumps)[1] < 0.3
    of_two = consistency(3, two, video, halved)
    assert of_two[1] == pytest.approx(0.5, abs=0.1)
    assert of_two[2] > 0.85


def test_the_frame_before_is_where_tracking_came_from(video: FrameSource):
    jumps = shows(lambda t, i: disc(t, *SIZE) if t < 3 else disc(t - 20, *SIZE))
    both = {1: track(range(6)), 2: track(range(6), reverse=True)}
    at_2, at_3 = (consistency(t, both, video, jumps) for t in (2, 3))
    assert at_2[1] > 2 * at_2[2]  # the jump lies between these two frames
    assert at_3[2] > 2 * at_3[1]


def test_what_was_not_tracked_has_none(video: FrameSource):
    good = shows(lambda t, i: disc(t, *SIZE))
    tracks = {1: track(range(2, 4)), 2: track(range(2, 4), reverse=True)}
    assert list(consistency(2, tracks, video, good)) == [2]
    assert list(consistency(3, tracks, video, good)) == [1]
    assert consistency(4, tracks, video, good) == {}
    assert consistency(3, tracks, video, lambda t: FrameResult(t, SIZE, {})) == {}
    nowhere = shows(lambda t, i: np.zeros(SIZE, bool))
    assert consistency(3, tracks, video, nowhere) == {1: 1.0}


def test_a_session_tells_of_its_newest_masks(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny)
    session.prompt(0, 1, mask=disc(0))
    list(session.propagate(stop=5))
    before = session.consistency(4)
    assert 0 <= before[1] <= 1
    assert session.consistency(0) == {}
    session.prompt(4, 1, points=[DISC], labels=[0])
    assert session.consistency(4) != before
    session.undo()
    assert session.consistency(4) == before
    with pytest.raises(IndexError, match="frame 10 is outside the video"):
        session.consistency(10)


def test_live_while_frames_are_kept(tiny: Sam2):
    live = VideoSession(None, tiny)
    for t, frame in enumerate(clip(12)):
        live.step(frame)
        if t == 0:
            live.prompt(0, 1, points=[DISC])
    assert list(live.consistency(11)) == list(live.consistency(5)) == [1]
    assert live.consistency(4) == {}  # the frame before is gone
