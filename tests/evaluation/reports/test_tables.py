"""What stands in which cell."""

from __future__ import annotations

import pytest

from made_runs import made_run, made_vos
from masklet.evaluation.reports.comparison import compare_runs
from masklet.evaluation.reports.run_record import RunRecord
from masklet.evaluation.reports.tables import (
    comparison_table,
    headline_table,
    image_table,
    interactive_table,
    sequence_table,
    speed_table,
    summary_tables,
    vos_table,
)

FLOOR = made_run("copy-first", vos={"mask": made_vos([0.1], [0.2, 0.3])}, interactive={}, images={}, speed={})


def texts(table, published=False):
    return [[cell.text for cell in row.cells] for row in table.rows if row.published == published]


def test_vos_has_rows_over_objects_and_sequences_and_the_floor_below():
    table = vos_table([made_run(), FLOOR])
    assert table.columns == (
        "tracker",
        "mean over",
        "mask J&F",
        "mask J",
        "mask F",
        "3 clicks J&F",
        "3 clicks J",
        "3 clicks F",
    )
    ours, by_sequence, floor, _ = texts(table)
    assert ours[:5] == ["ours", "objects", "55.0", "50.0", "60.0"]
    assert by_sequence[:4] == ["ours", "sequences", "47.5", "42.5"]
    assert floor == ["copy-first", "objects", "25.0", "20.0", "30.0", "–", "–", "–"]
    assert table.rows[0].cells[2].remark.startswith("±")
    assert table.rows[0].cells[2].value == pytest.approx(0.55)


def test_published_rows_say_their_data_and_source():
    table = vos_table([made_run()])
    sam2 = next(row for row in table.rows if row.published and row.cells[0].text == "SAM 2")
    assert [cell.text for cell in sam2.cells] == ["SAM 2", "mean of 17 video sets", "77.6", "–", "–", "73.2", "–", "–"]
    assert sam2.cells[0].remark == "paper, table 4"
    assert sam2.cells[2].value == pytest.approx(0.776)
    assert all(row.published for row in table.rows[2:])


def test_published_rows_of_the_suite_replace_the_means():
    names = [row[:2] for row in texts(vos_table([made_run(suite="davis2017")]), published=True)]
    assert ["SAM 2 L", "DAVIS 2017 val"] in names
    assert all(data == "DAVIS 2017 val" for _, data in names)


def test_headlines_stand_beside_published_ones():
    table = headline_table([made_run(suite="youtube-vos-2019", headlines={"mask": {"G": 0.5, "J seen": 0.4}})])
    assert table.columns == ("tracker", "prompt", "G", "J seen")
    assert texts(table) == [["ours", "mask", "50.0", "40.0"]]
    assert ["STCN", "mask", "82.7", "81.1"] in texts(table, published=True)
    assert ["SAM 2 L", "mask", "89.1", "–"] in texts(table, published=True)


def test_sequences_with_the_floor_beside():
    table = sequence_table([made_run(), FLOOR])
    assert table.columns[:3] == ("sequence", "objects", "mask J&F")
    assert table.columns[-1] == "copy-first: mask J&F"
    assert [row[0] for row in texts(table)] == ["a", "b"]
    assert texts(table)[1][1:5] == ["2", "70.0", "65.0", "75.0"]
    assert [row[-1] for row in texts(table)] == ["15.0", "30.0"]


def test_interactive_rounds_and_their_mean():
    table = interactive_table([made_run()])
    assert table.columns == ("tracker", "mode", "N=1", "N=2", "mean")
    assert texts(table) == [["ours", "offline", "35.0", "55.0", "45.0"]]


def test_a_run_of_fewer_rounds_leaves_cells_open():
    short = made_run("short")
    short = made_run(
        "short",
        interactive={
            "online": tuple(s.__class__(s.name, s.object_id, s.rounds[:1]) for s in short.interactive["offline"])
        },
    )
    assert texts(interactive_table([made_run(), short]))[1] == ["short", "online", "35.0", "–", "35.0"]


def test_images_by_prompt():
    table = image_table([made_run()])
    assert table.columns == ("tracker", "images", "1 click", "3 clicks", "best of three", "box")
    assert texts(table) == [["ours", "animals", "50.0", "66.7", "58.3", "85.0"]]
    assert ["SAM 2 L", "SA-23", "63.5", "–", "–", "–"] in texts(table, published=True)


def test_speed_with_hardware():
    table = speed_table([made_run(), FLOOR])
    assert texts(table) == [["ours", "two cores", "12.5", "–"]]
    assert ["SAM 2.1 large", "read-me of the official repository; A100, compiled", "39.5", "–"] in texts(table, True)


def test_comparison():
    table = comparison_table(compare_runs(made_run(shift=0.1), made_run(images={})), "new", "old")
    assert table.columns == ("quantity", "new (first)", "old (second)", "difference", "p")
    assert texts(table)[0] == ["VOS from mask, J&F", "65.0", "55.0", "+10.0", "0.500"]


def test_a_single_video_has_no_interval():
    table = vos_table([made_run(vos={"mask": made_vos([0.5])})])
    assert table.rows[0].cells[2].remark == ""


def test_tables_without_rows_are_left_out():
    titles = [table.title for table in summary_tables([FLOOR])]
    assert titles == ["Headline numbers", "Semi-supervised video object segmentation"]
    assert summary_tables([RunRecord("dev", "ours", {}, "")]) == ()
    with pytest.raises(ValueError, match="no run"):
        summary_tables([])


def test_columns_with_remarks():
    assert vos_table([made_run()]).remarked == frozenset(range(8)) - {1}
    assert sequence_table([made_run()]).remarked == frozenset()
