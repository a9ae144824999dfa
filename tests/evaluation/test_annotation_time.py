"""What annotation costs and buys, worked out by hand."""

from __future__ import annotations

import pytest

from masklet.evaluation.annotation_time import annotation_seconds, effort_curve
from masklet.evaluation.scores import Click, InteractiveScore, ObjectScore, Round


def rounds(*made):
    """Rounds of ``(J, F, clicks, seconds)``."""
    return tuple(
        Round(0, ObjectScore(1, (0,), (j,), (f,), (Click(0, 1.0, 1.0, 1),) * clicks), float(seconds))
        for j, f, clicks, seconds in made
    )


def test_offline_looks_through_the_video_for_every_frame():
    assert annotation_seconds("offline", 300, 1) == pytest.approx(35.5)
    assert annotation_seconds("online", 300, 1) == pytest.approx(35.5)
    assert annotation_seconds("offline", 300, 8) == pytest.approx(8 * 35.5)
    assert annotation_seconds("online", 300, 8) == pytest.approx(30 + 8 * 5.5)
    assert annotation_seconds("online", 75, 2, clicks=1) == pytest.approx(7.5 + 5)


def test_the_curve_is_a_mean_over_objects():
    a = InteractiveScore("a", 1, rounds((0.5, 0.7, 3, 10), (0.7, 0.9, 3, 20)))
    b = InteractiveScore("b", 1, rounds((0.9, 0.9, 3, 30), (0.9, 0.9, 0, 30)))
    curve = effort_curve([a, b])
    one, two = curve.points
    assert (one.frames, one.clicks, one.seconds) == (1, 3, 20)
    assert (two.frames, two.clicks, two.seconds) == (2, 4.5, 25)
    assert (one.j, one.f, one.jf) == pytest.approx((0.7, 0.8, 0.75))
    assert two.jf == pytest.approx(0.85)
    assert curve.jf == pytest.approx(0.8)


def test_quality_against_time_begins_at_nothing():
    curve = effort_curve([InteractiveScore("a", 1, rounds((0.5, 0.7, 3, 10), (0.8, 0.8, 3, 30)))])
    assert [curve.at(s) for s in (0.0, 5.0, 10.0, 20.0, 30.0, 60.0)] == pytest.approx([0, 0.3, 0.6, 0.7, 0.8, 0.8])
    assert curve.area(40.0) == pytest.approx((10 * 0.3 + 20 * 0.7 + 10 * 0.8) / 40)
    with pytest.raises(ValueError, match="at least the time of the last point"):
        curve.area(20.0)


def test_objects_must_have_equally_many_rounds():
    a = InteractiveScore("a", 1, rounds((0.5, 0.7, 3, 10)))
    b = InteractiveScore("b", 1, a.rounds * 2)
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        effort_curve([a, b])
    with pytest.raises(ValueError, match="none"):
        effort_curve([])
