"""Published numbers: the right rows for a suite, and numbers that hold together."""

from __future__ import annotations

import pytest

from masklet.evaluation.reports.published import SEVENTEEN, published_images, published_speed, published_vos


@pytest.mark.parametrize(
    ("suite", "tracker", "j_and_f"),
    [
        ("davis2017", "SAM 2 L", 91.6),
        ("DAVIS-2017-val", "Cutie-base+", 88.1),
        ("davis_2017_test-dev", "SAM 2 B+", 88.3),
        ("sa-v-test", "SAM 2.1 large", 79.5),
        ("SA-V val", "XMem", 60.1),
        ("mose", "SAM 2.1 tiny", 71.8),
        ("lvos-v2", "SAM 2.1 small", 78.3),
        ("lvos", "DEVA", 55.9),
    ],
)
def test_rows_of_the_suite(suite, tracker, j_and_f):
    rows = published_vos(suite)
    assert len({row.data for row in rows}) == 1
    (row,) = [row for row in rows if row.tracker == tracker]
    assert row.values["mask"]["J&F"] == j_and_f


@pytest.mark.parametrize("suite", ["dev", "sa-v", "davis2016", ""])
def test_other_suites_get_the_mean_over_all_sets_said_to_be_that(suite):
    rows = published_vos(suite)
    assert {row.data for row in rows} == {SEVENTEEN}
    (ours,) = [row for row in rows if row.tracker == "SAM 2"]
    assert {p: v["J&F"] for p, v in ours.values.items()} == {
        "1 click": 64.3, "3 clicks": 73.2, "5 clicks": 75.4, "box": 72.9, "mask": 77.6,
    }  # fmt: skip


def test_means_agree_with_their_parts():
    """J&F is the mean of J and F, and G of its four: to the rounding of a digit."""
    checked = 0
    for suite in ("sa-v-val", "sa-v-test", "youtube-vos-2019"):
        for row in published_vos(suite):
            whole, *parts = row.values["mask"].values()
            if parts:
                assert whole == pytest.approx(sum(parts) / len(parts), abs=0.11), row
                checked += 1
    assert checked == 11 * 2 + 5


def test_every_row_says_where_it_stands():
    rows = [*published_vos("dev"), *published_vos("mose"), *published_images(), *published_speed()]
    assert all(row.source and row.values for row in rows)


def test_images_and_speed():
    image = {(r.tracker, r.data): {p: v["mIoU"] for p, v in r.values.items()} for r in published_images()}
    assert image["SAM ViT-H", "SA-23, video sets"] == {"1 click": 54.5, "5 clicks": 80.3}
    assert image["SAM 2 L", "14 video sets"] == {"1 click": 71.2}
    speed = {(r.tracker, unit): v for r in published_speed() for unit, v in r.values[""].items()}
    assert speed["SAM 2.1 tiny", "frames a second"] == 91.2
    assert speed["SAM 2 B+", "images a second, batch 10"] == 130.1
