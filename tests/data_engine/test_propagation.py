from __future__ import annotations

import pytest

from masklet.data_engine.propagation import frames_of, left_of
from masklet.inference.run import frames_in_order


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@pytest.mark.parametrize(("start", "stop"), [(3, None), (0, None), (9, None), (3, 7), (7, 3), (5, 5), (0, 0), (9, 9)])
def test_what_is_left_is_the_rest(direction, start, stop):
    if stop is not None and (stop > start if direction == "backward" else stop < start):
        return
    wanted = [t for t, _ in frames_in_order(10, start, stop, direction)]
    run = {"start": start, "stop": stop, "direction": direction, "frame": None}
    for done in range(len(wanted) + 1):
        if done:
            run["frame"] = wanted[done - 1]
        legs = left_of(run, 10)
        assert [t for leg in legs for t, _ in frames_in_order(10, *leg)] == wanted[done:]
        assert frames_of(legs, 10) == len(wanted) - done
