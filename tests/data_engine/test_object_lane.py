from __future__ import annotations

import pytest

from masklet.data_engine import object_lane
from masklet.data_engine.object_lane import ObjectLane
from masklet.inference.results import Shown
from masklet.inference.spool import Kept
from masklet.inference.track import ObjectTrack
from masklet.model.memory_bank import BankLimits, MemoryBank

SIZE = (4, 6)


def shown(t: int, iou: float = 0.9, presence: float = 50.0) -> Shown:
    return Shown(t, SIZE, {"size": [*SIZE], "counts": "01"}, iou, presence, 0.9, False)


@pytest.fixture
def track() -> ObjectTrack:
    track = ObjectTrack(MemoryBank(BankLimits()))
    for t in (7, 2, 3, 4, 9, 8):
        track.shown.put(t, shown(t, presence=50.0 if t != 3 else -50.0))
    track.shown.put(10, Shown.of_absent(10, SIZE))
    return track


def test_what_is_seen(track: ObjectTrack):
    lane = ObjectLane().update(track)
    assert (lane.tracked, lane.absent, lane.said_absent) == ([[2, 4], [7, 10]], [[3, 3], [10, 10]], [[10, 10]])
    assert lane.confidence() == (2, [0.9, 0.0, 0.9, None, None, 0.9, 0.9, 0.9, 0.0])
    track.active[3] = 8
    assert lane.update(track).tracked == [[3, 4], [7, 8]]
    assert lane.confidence()[0] == 3
    empty = ObjectLane().update(ObjectTrack(MemoryBank(BankLimits())))
    assert (empty.tracked, empty.absent, empty.confidence()) == ([], [], (0, []))


def test_only_what_was_touched_is_read_again(track: ObjectTrack, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []
    of = object_lane._Score.of

    def reading(kept: Kept[Shown]) -> object_lane._Score:
        read.append(kept.value.frame)
        return of(kept)

    monkeypatch.setattr(object_lane._Score, "of", reading)
    lane = ObjectLane().update(track)
    version = lane.version
    assert len(read) == 7
    assert lane.update(track).version == version
    assert len(read) == 7
    track.capture()
    track.shown.put(5, shown(5))
    track.shown.put(2, None)
    assert lane.update(track).tracked == [[3, 5], [7, 10]]
    assert read[7:] == [5]
    assert lane.version != version
    assert ObjectLane().update(track).version != lane.version  # as another process has it
