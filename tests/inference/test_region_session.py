from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from masklet.inference.adapters import SessionTracker
from masklet.inference.options import SessionOptions
from masklet.inference.region_session import RegionSession
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from masklet.tracker import Tracker
from masklet.video.windows import Window
from tiny_model import HEIGHT, WIDTH, disc

SMALL_BOX = (18, 14, 28, 22)


def small_mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    x0, y0, x1, y1 = SMALL_BOX
    mask[y0:y1, x0:x1] = True
    return mask


@pytest.fixture
def session(tiny: Sam2, frames: list[np.ndarray]) -> Iterator[RegionSession]:
    with RegionSession(frames, tiny, around=2.0) as made:
        yield made


def test_large_objects_are_tracked_as_ever(session: RegionSession, tiny: Sam2, frames: list[np.ndarray]):
    large = np.zeros((HEIGHT, WIDTH), bool)
    large[4:44, 10:60] = True
    with VideoSession(frames, tiny) as plain:
        for one in (session, plain):
            one.prompt(0, 1, mask=large)
        assert not session.windows
        for got, wanted in zip(session.propagate(), plain.propagate(), strict=True):
            assert got.frame == wanted.frame
            assert np.array_equal(got[1].logits, wanted[1].logits)


def test_small_objects_are_those_of_a_session_on_what_is_seen(
    session: RegionSession, tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Window, "moved", lambda self, wanted: self)
    session.prompt(0, 1, mask=small_mask())
    x0, y0, x1, y1 = session.windows[1].box
    assert (x1 - x0) / WIDTH < 1
    assert session.windows[1].holds(SMALL_BOX)
    cropped = [frame[y0:y1, x0:x1] for frame in frames]
    with VideoSession(cropped, tiny) as plain:
        plain.prompt(0, 1, mask=small_mask()[y0:y1, x0:x1])
        seen = 0
        for got, wanted in zip(session.propagate(), plain.propagate(), strict=True):
            assert got.size == (HEIGHT, WIDTH)
            assert got[1].iou == pytest.approx(wanted[1].iou, abs=0.02)  # a frame is rounded once more
            assert np.mean(got[1].mask[y0:y1, x0:x1] != wanted[1].mask) < 0.02
            outside = got[1].mask.copy()
            outside[y0:y1, x0:x1] = False
            assert not outside.any()
            seen += got[1].area
    assert seen > 0


def test_the_window_follows_the_mask(session: RegionSession):
    session.prompt(0, 1, mask=small_mask())
    for result in session.propagate(stop=4):
        window, box = session.windows[1], result[1].box
        if box is not None:
            assert window.center == ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def test_small_and_large_objects_together(session: RegionSession):
    session.prompt(0, 7, mask=disc(0) | True)
    session.prompt(0, 3, mask=small_mask())
    session.prompt(2, 5, box=(50, 26, 58, 36))
    assert session.objects == [7, 3, 5]
    assert sorted(session.windows) == [3, 5]
    results = list(session.propagate())
    assert [result.frame for result in results] == list(range(10))
    assert all(list(result) == [7, 3, 5] for result in results)
    assert [results[t][5].prompted for t in (1, 2)] == [False, True]


def test_no_pixel_is_two_objects(tiny: Sam2, frames: list[np.ndarray]):
    with RegionSession(frames, tiny, around=2.0, options=SessionOptions(non_overlap=True)) as session:
        session.prompt(0, 1, mask=np.ones((HEIGHT, WIDTH), bool))
        session.prompt(0, 2, mask=small_mask())
        for result in session.propagate(stop=3):
            assert not (result[1].mask & result[2].mask).any()


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_directions(session: RegionSession, direction):
    session.prompt(5, 1, mask=small_mask())
    order = [result.frame for result in session.propagate(direction=direction)]
    assert order == ([5, 4, 3, 2, 1, 0] if direction == "backward" else [5, 6, 7, 8, 9, 4, 3, 2, 1, 0])


def test_clicks_are_answered_in_the_window(session: RegionSession, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[tuple[int, int], np.ndarray]] = []
    original = VideoSession.prompt

    def noted(one: VideoSession, *args, **kwargs):
        asked.append((one.size, np.asarray(kwargs["points"])))
        result = original(one, *args, **kwargs)
        if one.size == (HEIGHT, WIDTH):  # as if the model had found something small
            object.__setattr__(result, "mask", small_mask())
        return result

    monkeypatch.setattr(VideoSession, "prompt", noted)
    session.prompt(0, 1, points=[(22, 18)])
    assert [size for size, _ in asked] == [(HEIGHT, WIDTH), (64, 64)]
    x0, y0, x1, y1 = session.windows[1].box
    assert np.allclose(asked[1][1], [(64 * (22 - x0) / (x1 - x0), 64 * (18 - y0) / (y1 - y0))])
    session.prompt(0, 1, points=[(70, 40)], labels=[0])  # outside, so that all is asked anew
    assert [len(points) for _, points in asked[2:]] == [2]
    assert not session.windows


def test_tracked_objects_are_corrected_where_they_were_looked_for(
    session: RegionSession, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Window, "moved", lambda self, wanted: self)
    session.prompt(0, 1, mask=small_mask())
    list(session.propagate(stop=3))
    x0, y0, x1, y1 = session._small[1].reader.seen(2).box
    assert session.prompt(2, 1, points=[((x0 + x1) / 2, (y0 + y1) / 2)]).prompted
    with pytest.raises(ValueError, match=r"object 1 was looked for in x \d+ to \d+ and y \d+ to \d+ of frame 2"):
        session.prompt(2, 1, points=[(71, 47)])
    session.prompt(8, 1, box=(40, 20, 50, 30))  # where nothing was seen yet
    assert session._small[1].reader.seen(8).holds((40, 20, 50, 30))


def test_is_a_tracker(tiny: Sam2, frames: list[np.ndarray]):
    tracker = SessionTracker(tiny, around=2.0)
    assert isinstance(tracker, Tracker)
    tracker.open(frames)
    assert tracker.prompt(0, 1, mask=small_mask()).shape == (HEIGHT, WIDTH)
    assert [t for t, _ in tracker.propagate(stop=2)] == [0, 1, 2]
    tracker.open(frames)
    with pytest.raises(ValueError, match="nothing to track"):
        next(tracker.propagate())


def test_streams_are_read_once(tiny: Sam2, frames: list[np.ndarray]):
    with RegionSession(iter(frames), tiny, around=2.0) as session:
        session.prompt(0, 1, mask=small_mask())
        session.prompt(0, 2, mask=np.ones((HEIGHT, WIDTH), bool))
        assert len(list(session.propagate())) == len(frames)


def test_nonsense_is_refused(session: RegionSession, tiny: Sam2, frames: list[np.ndarray]):
    with pytest.raises(ValueError, match="around must be above 1"):
        RegionSession(frames, tiny, around=1.0)
    with pytest.raises(IndexError):
        session.prompt(10, 1, mask=small_mask())
    with pytest.raises(ValueError, match="nothing to track"):
        next(session.propagate())
