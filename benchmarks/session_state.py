"""What a model worker does after an action in a long session: ``python benchmarks/session_state.py [--frames 20000]``.

Processor time of the state and of scores as JSON, where one object was touched and where all were.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from masklet.data_engine.session_view import SessionView
from masklet.inference.results import Shown
from masklet.inference.spool import Spool
from masklet.inference.track import ObjectTrack
from masklet.model.memory_bank import BankLimits, MemoryBank

REPEATS = 7
SIZE = (480, 854)
MASK = Shown(0, SIZE, {"size": [*SIZE], "counts": "0" * 200}, 0.9123, 5.0, 0.95, False)


def main() -> None:
    """Print the least time of a few."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--objects", type=int, default=5)
    given = parser.parse_args()
    spool = Spool(4_000_000)
    tracks = {i: ObjectTrack(MemoryBank(BankLimits()), spool) for i in range(1, given.objects + 1)}
    for track in tracks.values():
        for t in range(given.frames):
            track.shown.put(t, replace(MASK, frame=t, presence=-5.0 if t // 500 % 7 == 3 else 5.0))
    session = SimpleNamespace(source=SimpleNamespace(length=given.frames), objects=[*tracks], tracks=tracks)
    annotating: Any = SimpleNamespace(session=session, next_undo=None, next_redo=None)
    view = SessionView(annotating)
    view.state(None)
    for touched in ([1], [*tracks]):
        state = _least(lambda: view.state(None), tracks, touched)
        scores = _least(lambda: json.dumps([view.scores(i) for i in touched]), tracks, touched)  # noqa: B023
        print(f"{len(touched)} of {given.objects} touched: state {state:.1f} ms, their scores {scores:.1f} ms")


def _least(look: Callable[[], object], tracks: dict[int, ObjectTrack], touched: list[int]) -> float:
    """Milliseconds of looking after a mask of each touched object was made anew."""
    times = []
    for t in range(REPEATS):
        for i in touched:
            tracks[i].capture()
            tracks[i].shown.put(t, replace(MASK, frame=t))
        began = time.process_time()
        look()
        times.append(1e3 * (time.process_time() - began))
    return min(times)


if __name__ == "__main__":
    main()
