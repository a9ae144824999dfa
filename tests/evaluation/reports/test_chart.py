"""Where points land."""

from __future__ import annotations

import pytest

from made_runs import made_run
from masklet.evaluation.reports.chart import BOTTOM, LEFT, RIGHT, TOP, charts, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 8, [0, 2, 4, 6, 8]),
        (61, 87, [60, 70, 80, 90]),
        (0, 0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (0, 130, [0, 50, 100, 150]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low, high, expected):
    assert ticks(float(low), float(high)) == pytest.approx(expected)


def test_ticks_of_a_single_value():
    found = ticks(50.0, 50.0)
    assert found[0] <= 50 <= found[-1]
    assert len(found) < 10


def test_three_charts_a_mode():
    found = charts([made_run()])
    assert [c.x_name for c in found] == ["prompted frames", "clicks", "annotation time, seconds"]
    frames, clicks, seconds = (c.curves[0].points for c in found)
    assert [p.said.split(" at ")[1] for p in frames] == ["1 prompted frames", "2 prompted frames"]
    assert [p.said.split(" at ")[1] for p in clicks] == ["2 clicks", "3 clicks"]
    assert [p.said.split(" at ")[1] for p in seconds] == ["10 annotation time, seconds", "20 annotation time, seconds"]
    assert frames[0].said.startswith("ours: 35.0 (25.0 to 45.0)")


def test_points_lie_on_their_ticks():
    (chart, *_) = charts([made_run()])
    x = {text: at for at, text in chart.x_ticks}
    y = {text: at for at, text in chart.y_ticks}
    first, second = chart.curves[0].points
    assert (first.x, second.x) == pytest.approx((x["1"], x["2"]))
    assert first.low == pytest.approx(y["25"] if "25" in y else (y["20"] + y["30"]) / 2)
    assert all(LEFT <= p.x <= RIGHT and TOP <= p.high <= p.y <= p.low <= BOTTOM for p in (first, second))


def test_a_tracker_keeps_its_colour_and_runs_without_rounds_have_no_curve():
    found = charts([made_run("x", interactive={}), made_run("y")])
    assert [(c.name, c.color) for c in found[0].curves] == [("y", 1)]
    assert charts([made_run(interactive={})]) == ()
    assert charts([made_run(interactive={"offline": ()})]) == ()
