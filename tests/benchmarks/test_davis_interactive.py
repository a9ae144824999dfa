"""How scribbles become clicks, and whose times the curve has."""

from __future__ import annotations

import numpy as np
import pytest


def test_a_click_is_the_middle_of_a_scribble(script):
    line = [[0.1, 0.5], [0.25, 0.5], [0.4, 0.9]]
    corner = [[1.0, 1.0]]
    drawn = [{"path": line, "object_id": 1}, {"path": corner, "object_id": 0}]
    assert script.clicks_of(drawn, (40, 60)) == [(15.0, 20.0, 1), (59.0, 39.0, 0)]


def test_our_curve_has_the_times_of_their_session(script):
    pandas = pytest.importorskip("pandas")
    rows = [("a", 1, 2.0), ("a", 2, 4.0), ("b", 1, 4.0), ("b", 2, 6.0)]
    report = pandas.DataFrame(rows, columns=["sequence", "interaction", "timing"])
    ours = [("a", (0.5,), (0.5,)), ("a", (1.0,), (1.0,)), ("b", (0.7,), (0.9,)), ("b", (0.8,), (0.8,))]
    one, two = script.our_curve(["a", "b"], ours, report).points
    assert (one.seconds, two.seconds) == (3, 8)
    assert np.allclose((one.jf, two.jf), (0.65, 0.9))
